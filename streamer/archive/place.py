"""Where an archive's tables go: a folder, or a prefix in any store that fsspec knows."""

import contextlib
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs

from streamer.archive.listing import is_url, local_path, store_error
from streamer.errors import ArchiveError
from streamer.text import first_line
from streamer.whole import LEFT, write_whole


class Place:
    """Files that are there when they are whole.

    Args:
        out: a folder, or a URL; it need not be there yet.

    Attributes:
        out: the same; a folder's as an absolute path.
        is_local: it is a folder.

    Raises:
        ArchiveError: the URL means no store that is known here.
    """

    def __init__(self, out: str) -> None:
        self.is_local = not is_url(out)
        self.out = local_path(out) if self.is_local else out.rstrip("/")
        self._store: Any = None
        if not self.is_local:
            try:
                self._store, self._root = url_to_fs(self.out)
            except Exception as error:
                raise store_error(out, error) from error

    def names(self, folder: str = "") -> list[str]:
        """Give the names of the files in a folder of it, sorted; none where it isn't there.

        Raises:
            ArchiveError: it can't be read.
        """
        try:
            if self.is_local:
                return sorted(path.name for path in Path(self.out, folder).iterdir())
            self._store.invalidate_cache()
            found = self._store.ls(f"{self._root}/{folder}".rstrip("/"), detail=False)
            return sorted(name.rstrip("/").rpartition("/")[2] for name in found)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise self._error(folder, "read", error) from error

    def read(self, name: str) -> bytes:
        """Give what a file holds.

        Raises:
            ArchiveError: it can't be read.
        """
        try:
            if self.is_local:
                return Path(self.out, name).read_bytes()
            data: bytes = self._store.cat_file(f"{self._root}/{name}")
        except Exception as error:
            raise self._error(name, "read", error) from error
        return data

    def write(self, name: str, data: bytes) -> None:
        """Write a file, which takes the place of one of its name when it is whole.

        Raises:
            ArchiveError: it can't be written.
        """
        try:
            if self.is_local:
                path = Path(self.out, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, data)
            else:
                self._store.pipe_file(f"{self._root}/{name}", data)
        except Exception as error:
            raise self._error(name, "written", error) from error

    def remove(self, name: str) -> None:
        """Take away a file, where it is there; and its folder, where that is empty then.

        Raises:
            ArchiveError: it can't be taken away.
        """
        try:
            if self.is_local:
                path = Path(self.out, name)
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    path.parent.rmdir()
            else:
                with contextlib.suppress(FileNotFoundError):
                    self._store.rm_file(f"{self._root}/{name}")
        except Exception as error:
            raise self._error(name, "taken away", error) from error

    def sweep(self) -> None:
        """Take away what writers that were killed have left."""
        if self.is_local:
            for left in Path(self.out).rglob(f".*{LEFT}"):
                left.unlink(missing_ok=True)

    def _error(self, name: str, what: str, error: Exception) -> ArchiveError:
        said = getattr(error, "strerror", None) or first_line(error)
        remedy = "give an --out that may be written to"
        if not self.is_local:
            remedy = "look at the bucket and its keys, or give another --out"
        return ArchiveError(f"{f'{self.out}/{name}'.rstrip('/')}: can't be {what}: {said}", remedy=remedy)
