"""Files that are there when they are whole: the old one until the new one is, whatever is killed."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

LEFT = ".part"  # ending of what is being written; who is killed leaves `.NAME.*.part`


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, which takes the place of `path` when all has gone well.

    It is on the disk before it is renamed: a machine that loses its power leaves no half of one.

    Raises:
        OSError: it can't be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{LEFT}")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file in place of `path`; see `replacing`."""
    with replacing(path) as part:
        part.write_bytes(data)
