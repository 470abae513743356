"""What is tagged again of parts that are done: files that failed, and files that have changed.

It is written down before the first is tagged, a file `again/part-N.parquet` for each part, which goes when
the part's tables are new. So whatever is killed, any run goes on with what is left, and until then
everything that was written stays.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

from streamer.archive.place import Place
from streamer.archive.plan import Part, file_name
from streamer.archive.rows import columns, encode
from streamer.text import path_text

FOLDER = "again"
AT_ONCE = 16  # small files that are read or written: a store takes its time for each

_SCHEMA = pa.schema([("path", pa.binary()), ("failed", pa.bool_()), ("changed", pa.bool_())])
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


def marked(place: Place, parts: Iterable[Part]) -> list[Part]:
    """Give those parts of which files are to be tagged again, with these files.

    Raises:
        ArchiveError: what is written of it can't be read.
    """

    def read(part: Part) -> Part:
        rows = [*zip(*columns(place, FOLDER, file_name(part.number), _SCHEMA.names), strict=True)]
        failed = frozenset(path for path, it_failed, _ in rows if it_failed)
        return part._replace(failed=failed, changed=frozenset(path for path, _, it_has in rows if it_has))

    return _each(read, _present(place, FOLDER, parts))


def mark(place: Place, parts: Iterable[Part]) -> None:
    """Write down which files of parts are to be tagged again.

    Raises:
        ArchiveError: it can't be written.
    """

    def write(part: Part) -> None:
        rows = [(each.path, each.path in part.failed, each.path in part.changed) for each in part.tried]
        place.write(f"{FOLDER}/{file_name(part.number)}", encode(rows, _SCHEMA))

    _each(write, parts)


def forget(place: Place, parts: Iterable[Part]) -> None:
    """Take away what is written of parts: their files have been tagged again, or all of them will be.

    Raises:
        ArchiveError: it can't be taken away.
    """
    for part in _present(place, FOLDER, parts):
        forget_one(place, part)


def forget_one(place: Place, part: Part) -> None:
    """Take away what is written of a part, where anything is; the others aren't looked at.

    Raises:
        ArchiveError: it can't be taken away.
    """
    place.remove(f"{FOLDER}/{file_name(part.number)}")


def failures(place: Place, parts: Iterable[Part]) -> dict[int, frozenset[bytes]]:
    """Give the paths of files that failed, by the number of their part; nothing where none did.

    Raises:
        ArchiveError: a part's table of errors can't be read.
    """

    def read(part: Part) -> tuple[int, frozenset[bytes]]:
        (texts,) = columns(place, "errors", file_name(part.number), ["path"])
        failed = frozenset(texts)
        return part.number, frozenset(each.path for each in part.media if path_text(each.path) in failed)

    return {number: failed for number, failed in _each(read, _present(place, "errors", parts)) if failed}


def _present(place: Place, folder: str, parts: Iterable[Part]) -> list[Part]:
    asked = {file_name(part.number): part for part in parts}
    return [asked[name] for name in place.names(folder) if name in asked] if asked else []


def _each(do: Callable[[_Given], _Made], given: Iterable[_Given]) -> list[_Made]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [*pool.map(do, given)]
