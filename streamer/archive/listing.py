"""From patterns to files: paths, folders, globs, and URLs of any store that fsspec knows."""

import glob
import os
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from fsspec.core import url_to_fs

from streamer.archive.media import is_media, media_below
from streamer.errors import ArchiveError
from streamer.text import first_line

STAMPS = ("ETag", "etag", "mtime", "LastModified", "last_modified")  # as stores name what tells of a change


class Media(NamedTuple):
    """A file.

    Attributes:
        path: absolute, or a URL; as the file system has it, since a name may be any bytes.
        size: in bytes, 0 where a store doesn't say.
        stamp: another one when the file has changed: its time of modification, or what a store has for
            that; "" where it isn't known.
    """

    path: bytes
    size: int
    stamp: str = ""


def is_url(path: str) -> bool:
    """Say whether a path is a URL of a store, and not one of this machine's."""
    return "://" in path and not path.startswith("file://")


def local_path(path: str) -> str:
    """Give a path of this machine, be it a `file://` URL, as an absolute one."""
    return os.path.abspath(path.removeprefix("file://"))  # noqa: PTH100 - Path drops a '//' of names


def list_media(patterns: Iterable[str]) -> list[Media]:
    """Give the files that patterns name, each once, sorted by path.

    A folder means all media in it and below it. A glob (`*`, `?`, `[...]`, `**`) means what a
    shell would make of it. What is named is taken whatever its ending.

    Raises:
        ArchiveError: a pattern names nothing, or its store can't be asked.
    """
    found: dict[bytes, Media] = {}
    for pattern in patterns:
        media = [*(_stored(pattern) if is_url(pattern) else _here(pattern.removeprefix("file://")))]
        if not media:
            raise ArchiveError(
                f"{pattern}: no such file, or no media file below it", remedy="name files, folders or globs"
            )
        found |= {each.path: each for each in media}
    return sorted(found.values())


def store_error(url: str, error: Exception) -> ArchiveError:
    """Give what a user can do about an error of a store; its libraries raise whatever they like."""
    remedy = (
        "pip install what it names" if isinstance(error, ImportError) else "look at the address and its keys"
    )
    return ArchiveError(f"{url}: the store can't be asked: {first_line(error)}", remedy=remedy)


def _here(pattern: str) -> Iterator[Media]:
    named = [pattern] if os.path.lexists(pattern) else glob.iglob(pattern, recursive=True)  # noqa: PTH207
    for name in map(local_path, named):
        inside = media_below(name) if os.path.isdir(name) else [name]  # noqa: PTH112
        for path in inside:
            yield _seen(path)


def _seen(path: str) -> Media:
    try:
        status = os.stat(path)  # noqa: PTH116 - a million of them
    except OSError:  # what can't be read is told when its turn comes
        return Media(os.fsencode(path), 0)
    return Media(os.fsencode(path), status.st_size, str(status.st_mtime_ns))


def _stored(pattern: str) -> Iterator[Media]:
    try:
        store, path = url_to_fs(pattern)
        found: dict[str, dict[str, Any]] = (
            store.glob(path, detail=True)
            if glob.has_magic(path) and not store.exists(path)
            else {path: store.info(path)}
        )
        for name, info in found.items():
            inside = store.find(name, detail=True) if info["type"] == "directory" else {name: info}
            for each, its in inside.items():
                if each == name or is_media(each):
                    stamp = next((str(its[key]) for key in STAMPS if its.get(key)), "")
                    yield Media(os.fsencode(store.unstrip_protocol(each)), its.get("size") or 0, stamp)
    except FileNotFoundError:
        return
    except Exception as error:
        raise store_error(pattern, error) from error
