"""Files that are there when they are whole."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import HistoryDiskError


@contextlib.contextmanager
def replace(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, which takes the place of `path` when all has gone well.

    Raises:
        HistoryDiskError: it can't be written.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise HistoryDiskError(
            f"{path}: can't be written: {error.strerror or error}", remedy="name a file that may be written"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
