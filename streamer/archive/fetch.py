"""A copy of an object on this machine, since decoders seek."""

import errno
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp

import fsspec

from streamer.errors import ArchiveError, SourceConnectionError, SourceNotFoundError
from streamer.text import first_line, printable

BLOCK = 1 << 20  # bytes that are copied at a time
MAX_NAME = 100  # characters of its name that the copy has


def fetch(url: str, folder: Path, beat: Callable[[], None]) -> Path:
    """Copy an object, under its own name, which messages tell. The store's own library tries again.

    Args:
        url: of the object.
        folder: for a folder of the copy's own; it is made where it isn't there.
        beat: called after each block.

    Raises:
        SourceNotFoundError: there is no such object.
        SourceConnectionError: it can't be had from the store.
        ArchiveError: the folder has no room for it.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    path = Path(mkdtemp(dir=folder), printable(url.rpartition("/")[2])[-MAX_NAME:].lstrip(".") or "object")
    try:
        with fsspec.open(url, "rb") as file, path.open("xb") as copy:
            while block := file.read(BLOCK):
                copy.write(block)
                beat()
        return path
    except Exception as error:
        drop(path)
        raise _told(url, folder, error) from error


def drop(copy: Path) -> None:
    """Let go of a copy."""
    copy.unlink(missing_ok=True)
    copy.parent.rmdir()


def _told(
    url: str, folder: Path, error: Exception
) -> ArchiveError | SourceNotFoundError | SourceConnectionError:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return ArchiveError(
            f"{folder.parent}: no room for a copy of {url}", remedy="name a larger folder in TMPDIR"
        )
    if isinstance(error, FileNotFoundError):
        return SourceNotFoundError(f"{url}: no such object", remedy="look at the name", final=True)
    return SourceConnectionError(
        f"{url}: can't be fetched: {first_line(error)}", remedy="look at the store", final=True
    )
