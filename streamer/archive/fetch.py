"""A copy of an object on this machine, since decoders seek."""

import errno
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

import fsspec

from streamer.errors import ArchiveError, SourceConnectionError, SourceNotFoundError
from streamer.text import printable

BLOCK = 1 << 20  # bytes that are copied at a time
MAX_NAME = 100  # characters of its name that the copy's ends with, for messages


def fetch(url: str, folder: Path, beat: Callable[[], None]) -> Path:
    """Copy an object into a folder; the store's own library tries again what is worth it.

    Args:
        url: of the object.
        folder: for the copy; it is made where it isn't there.
        beat: called after each block.

    Raises:
        SourceNotFoundError: there is no such object.
        SourceConnectionError: it can't be had from the store.
        ArchiveError: the folder has no room for it.
    """
    name = printable(url.rpartition("/")[2])[-MAX_NAME:]
    folder.mkdir(mode=0o700, exist_ok=True)
    with NamedTemporaryFile(dir=folder, suffix=f"-{name}", delete=False) as copy:
        path = Path(copy.name)
        try:
            with fsspec.open(url, "rb") as file:
                while block := file.read(BLOCK):
                    copy.write(block)
                    beat()
            return path
        except Exception as error:
            path.unlink()
            raise _told(url, folder, error) from error


def _told(
    url: str, folder: Path, error: Exception
) -> ArchiveError | SourceNotFoundError | SourceConnectionError:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return ArchiveError(
            f"{folder.parent}: no room for a copy of {url}", remedy="name a larger folder in TMPDIR"
        )
    if isinstance(error, FileNotFoundError):
        return SourceNotFoundError(f"{url}: no such object", remedy="look at the name", final=True)
    said = str(error).splitlines() or [type(error).__name__]
    return SourceConnectionError(
        f"{url}: can't be fetched: {said[0]}", remedy="look at the store", final=True
    )
