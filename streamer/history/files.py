"""Files that are there when they are whole, and what is said where they can't be written."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import HistoryDiskError
from streamer.whole import replacing


@contextlib.contextmanager
def replace(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, which takes the place of `path` when all has gone well.

    Raises:
        HistoryDiskError: it can't be written.
    """
    try:
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise HistoryDiskError(
            f"{path}: can't be written: {error.strerror or error}", remedy="name a file that may be written"
        ) from error
