"""The plan of an archive: every file in one part, written down before the first is tagged.

A part is what is done, and done again, as a whole. A file of the plan stays in its part for
ever; files that are new at a later run become further parts.
"""

import io
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from pyarrow import parquet

from streamer.archive.listing import Media
from streamer.archive.place import Place
from streamer.errors import ArchiveError

PARTS = 2048  # of a large archive: hundreds of cores end at about the same time, and a folder still lists
FILES = range(8, 257)  # in a part: few files cost a table each, many are much to do again after a kill
PART_BYTES = 1 << 30  # likewise: nine hours of music, and more of speech
KEY = b"genrecast"

_SCHEMA = [("part", pa.int32()), ("path", pa.binary()), ("size", pa.int64())]


class Part(NamedTuple):
    """Files that are tagged together.

    Attributes:
        number: from 0.
        media: its files, by path.
    """

    number: int
    media: tuple[Media, ...]

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(each.size for each in self.media)


class Tags(msgspec.Struct, frozen=True):
    """What an archive is tagged with: all of it by the same.

    Attributes:
        model: as the contract names it.
        sha256: of the model file.
        contract: version of the contract.
        labels: of the model.
    """

    model: str
    sha256: str
    contract: int
    labels: tuple[str, ...]


class Plan(NamedTuple):
    """The parts of an archive.

    Attributes:
        parts: all of them.
        todo: those that are not done, the largest first, so that the last ones to end are small.
        new: how many files this run has added.
        unnamed: how many files of the plan this run's patterns don't name.
    """

    parts: list[Part]
    todo: list[Part]
    new: int
    unnamed: int


def open_plan(place: Place, media: Sequence[Media], tags: Tags) -> Plan:
    """Give the plan that is there, with what is new among the media, or a new one.

    Raises:
        ArchiveError: what is there was tagged with something else, or is no plan of ours.
    """
    written = [name for name in place.names() if name.startswith("plan-") and name.endswith(".parquet")]
    parts = [*chain.from_iterable(_decode(place, name, tags) for name in written)]
    named, planned = {each.path for each in media}, {each.path for part in parts for each in part.media}
    new = [each for each in media if each.path not in planned]
    if new:
        added = cut(new, len(parts))
        place.write(f"plan-{len(written):04}.parquet", _encode(added, tags))
        parts += added
    done = set(place.names("files"))
    todo = [part for part in parts if file_name(part.number) not in done]
    todo.sort(key=lambda part: part.size, reverse=True)
    return Plan(parts, todo, len(new), len(planned - named))


def cut(media: Iterable[Media], first: int) -> list[Part]:
    """Cut a list into parts, numbered from `first` on: each file in one, in the same order."""
    left = list(media)
    most = min(max(math.ceil(len(left) / PARTS), FILES.start), FILES.stop - 1)
    parts: list[Part] = []
    taken: list[Media] = []
    size = 0
    for each in left:
        if taken and (len(taken) == most or size + each.size > PART_BYTES):
            parts.append(Part(first + len(parts), tuple(taken)))
            taken, size = [], 0
        taken.append(each)
        size += each.size
    return [*parts, Part(first + len(parts), tuple(taken))] if taken else parts


def file_name(number: int) -> str:
    """Give the name that a part's tables have."""
    return f"part-{number:06}.parquet"


def _encode(parts: list[Part], tags: Tags) -> bytes:
    rows = [(part.number, each.path, each.size) for part in parts for each in part.media]
    schema = pa.schema(_SCHEMA, metadata={KEY: msgspec.json.encode(tags)})
    table = pa.table([*map(list, zip(*rows, strict=True))], schema=schema)
    data = io.BytesIO()
    parquet.write_table(table, data, compression="zstd")
    return data.getvalue()


def _decode(place: Place, name: str, tags: Tags) -> list[Part]:
    try:
        table = parquet.read_table(pa.BufferReader(place.read(name)))
        begun = msgspec.json.decode(table.schema.metadata[KEY], type=Tags)
        columns: list[list[Any]] = [table[column].to_pylist() for column, _ in _SCHEMA]
    except (pa.ArrowException, msgspec.MsgspecError, KeyError, TypeError) as error:
        raise ArchiveError(
            f"{place.out}/{name}: no plan of an archive", remedy="give another --out"
        ) from error
    if begun != tags:
        raise ArchiveError(
            f"{place.out} was begun with the model {_said(begun)}, not {_said(tags)}",
            remedy="give the same --model, or another --out",
        )
    numbers, *files = columns
    media = iter(map(Media, *files))
    return [Part(number, tuple(islice(media, count))) for number, count in Counter(numbers).items()]


def _said(tags: Tags) -> str:
    return f"'{tags.model}' (sha256 {tags.sha256[:12]}, contract {tags.contract})"
