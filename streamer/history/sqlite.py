"""History in one file: SQLite with a write-ahead log, one writer, any number of readers.

`synchronous = NORMAL`: what has been committed outlives the process, however that dies; a power cut may
take the last seconds with it, and never harms the file (sqlite.org/wal.html). It costs a sync a few
times a minute instead of four a second, which memory cards would not live long with.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from streamer.errors import (
    HistoryBrokenError,
    HistoryDiskError,
    HistoryError,
    HistoryLockedError,
    HistoryMissingError,
)
from streamer.history.database import Execute, Row
from streamer.history.schema import VERSION, steps, unlike

WAIT_S = 0.2  # for whoever holds the file; the writer comes again, and hears messages in between
READER_WAIT_S = 5.0
LOG_BYTES = 16_000_000  # what a write-ahead log that had to grow is cut back to
PAGES = 1000  # that are given back at a time
OURS = 0x67656E72  # "genr": SQLite's mark of whose file it is

_KINDS = {
    sqlite3.SQLITE_BUSY: HistoryLockedError,
    sqlite3.SQLITE_LOCKED: HistoryLockedError,
    sqlite3.SQLITE_CORRUPT: HistoryBrokenError,
    sqlite3.SQLITE_NOTADB: HistoryBrokenError,
}
_REMEDIES = {
    HistoryLockedError: "end whatever holds it; nothing is lost meanwhile",
    HistoryBrokenError: "name another with --db; a running daemon moves a broken file aside by itself",
    HistoryDiskError: "see that the disk has room and that the file and its folder may be written",
}


class Sqlite:
    """A file and its connection, for any thread, one at a time.

    Args:
        path: of the file; made where it is to be written.
        write: open it for writing.

    Raises:
        HistoryError: it can't be opened, is not ours, or of another version.
    """

    def __init__(self, path: Path, *, write: bool) -> None:
        self._path = path
        with self._told():
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
            there = path.is_file()
        if not (write or there):
            raise _missing(path)
        with self._told():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={'rwc' if write else 'ro'}",
                uri=True,
                timeout=WAIT_S if write else READER_WAIT_S,
                isolation_level=None,
                check_same_thread=False,
            )
        try:
            with self._told():
                self._opened = self._file()
                self._open(write=write)
        except BaseException:
            self._connection.close()
            raise

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Give the rows of a query."""
        with self._told():
            return self._connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Execute]:
        """Give what runs statements of which all are kept, or none."""
        with self._told():
            if self._file() != self._opened:  # what is written to a file without a name is gone at the end
                raise HistoryDiskError(f"{self._path}: was replaced", remedy="leave it where it is")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._execute
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    def size_mb(self) -> float | None:
        """Give what the rows take; what is only free in the file doesn't count."""
        pages, free, size = (self._pragma(name) for name in ("page_count", "freelist_count", "page_size"))
        return (pages - free) * size / 1e6

    def tidy(self) -> None:
        """Give pages that are free back to the disk."""
        self.read(f"PRAGMA incremental_vacuum({PAGES})")

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _open(self, *, write: bool) -> None:
        version = self._pragma("user_version")
        if self._pragma("application_id") != OURS and self.read("SELECT 1 FROM sqlite_schema LIMIT 1"):
            raise HistoryError(
                f"{self._path}: another program's database", remedy="name a file of its own for the history"
            )
        if version == 0 and not write:  # whoever keeps it has only just made the file
            raise _missing(self._path)
        if version > VERSION or (version < VERSION and not write):
            raise unlike(str(self._path), version)
        if not write:
            return
        if version == 0:
            self.read("PRAGMA auto_vacuum = INCREMENTAL")  # before there is a table, or never
        self.read("PRAGMA journal_mode = WAL")
        self.read("PRAGMA synchronous = NORMAL")
        self.read(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        if version < VERSION:
            with self.writing() as execute:
                for statement in steps(version, clustered=" WITHOUT ROWID"):
                    execute(statement, ())
                execute(f"PRAGMA application_id = {OURS}", ())
                execute(f"PRAGMA user_version = {VERSION}", ())

    def _execute(self, sql: str, values: Sequence[Any]) -> int:
        return self._connection.execute(sql, values).rowcount

    def _pragma(self, name: str) -> int:
        return int(self.read(f"PRAGMA {name}")[0][0])

    def _file(self) -> tuple[int, int]:
        status = self._path.stat()
        return status.st_dev, status.st_ino

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HistoryDiskError(
                f"{self._path}: {error.strerror}", remedy=_REMEDIES[HistoryDiskError]
            ) from error
        except sqlite3.Error as error:
            kind = _KINDS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, HistoryDiskError)
            raise kind(f"{self._path}: {error}", remedy=_REMEDIES[kind]) from error


def move_aside(path: Path, now: str) -> Path:
    """Rename a broken file and its log, so that a new one can begin; give the new name.

    Raises:
        HistoryDiskError: it can't be renamed.
    """
    aside = path.with_name(f"{path.name}.broken-{now}")
    try:
        path.rename(aside)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise HistoryDiskError(
            f"{path}: broken, and can't be moved aside: {error.strerror}", remedy="move it yourself"
        ) from error
    return aside


def _missing(path: Path) -> HistoryMissingError:
    return HistoryMissingError(
        f"{path}: there is no history", remedy="run the daemon with a section [history], or give --db"
    )
