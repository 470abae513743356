"""History on a PostgreSQL server, for those who outgrow a file: the same tables, in a schema `genrecast`."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from streamer.errors import (
    HistoryDiskError,
    HistoryLockedError,
    HistoryMissingError,
    HistoryServerError,
    MissingExtraError,
)
from streamer.history.database import Execute, Row
from streamer.history.place import nameable
from streamer.history.schema import VERSION, steps, unlike

try:
    import psycopg
except ImportError as error:
    raise MissingExtraError("history in PostgreSQL", "postgres") from error

CONNECT_S = 3
# A server that is gone without a word must not hold the keeper up for the quarter of an hour that TCP would.
UNANSWERED_MS = 5000
SETTINGS = (
    "SET search_path TO genrecast",
    "SET statement_timeout TO '30s'",
    "SET lock_timeout TO '1s'",
)
MIGRATING = 0x67656E72  # the advisory lock of whoever brings the tables up to date


class Postgres:
    """A connection to a server, for any thread, one at a time.

    Args:
        url: `postgresql://USER@HOST/DATABASE`; what isn't said is taken from libpq's environment.
        write: make the tables where they are missing.

    Raises:
        HistoryError: the server can't be reached, or what is there is not ours to read.
    """

    def __init__(self, url: str, *, write: bool) -> None:
        self._name = nameable(url)
        with self._told():
            self._connection = psycopg.connect(
                url,
                autocommit=True,
                connect_timeout=CONNECT_S,
                tcp_user_timeout=UNANSWERED_MS,
                application_name="genrecast",
            )
        try:
            with self._told():
                self._open(write=write)
        except BaseException:
            self._connection.close()
            raise

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Give the rows of a query."""
        with self._told():
            return self._connection.execute(_own(sql), values).fetchall()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Execute]:
        """Give what runs statements of which all are kept, or none."""
        with self._told(), self._connection.transaction():
            yield self._execute

    def size_mb(self) -> float | None:
        """Give None: what deleted rows leave is free only after a vacuum, and that is the server's."""
        return None

    def tidy(self) -> None:
        """Do nothing: the server vacuums by itself."""

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _open(self, *, write: bool) -> None:
        for setting in SETTINGS:
            self._execute(setting, ())
        if write:
            with self._connection.transaction():
                self._execute("SELECT pg_advisory_xact_lock(?)", (MIGRATING,))
                if self.read("SELECT to_regnamespace('genrecast')") == [(None,)]:
                    self._execute("CREATE SCHEMA genrecast", ())
                self._execute("CREATE TABLE IF NOT EXISTS version (version BIGINT NOT NULL)", ())
                version = self._version()
                if version < VERSION:
                    for statement in steps(version, clustered=""):
                        self._execute(statement, ())
                    self._execute("DELETE FROM version", ())
                    self._execute("INSERT INTO version VALUES (?)", (VERSION,))
        elif self.read("SELECT to_regclass('version')") == [(None,)]:
            raise HistoryMissingError(
                f"{self._name}: there is no history",
                remedy="run the daemon with this as url in [history]",
            )
        if (version := self._version()) != VERSION:
            raise unlike(self._name, version)

    def _version(self) -> int:
        rows = self.read("SELECT version FROM version")
        return int(rows[0][0]) if rows else 0

    def _execute(self, sql: str, values: Sequence[Any]) -> int:
        return self._connection.execute(_own(sql), values).rowcount

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
            raise HistoryLockedError(
                f"{self._name}: {_line(error)}", remedy="end whatever holds it; nothing is lost meanwhile"
            ) from error
        except psycopg.errors.DiskFull as error:
            raise HistoryDiskError(
                f"{self._name}: {_line(error)}", remedy="make room on the server"
            ) from error
        except psycopg.Error as error:
            raise HistoryServerError(
                f"{self._name}: {_line(error)}", remedy="see that the server runs and that the url is right"
            ) from error


def _own(sql: str) -> bytes:
    return sql.replace("?", "%s").encode()


def _line(error: psycopg.Error) -> str:
    return " ".join(str(error).split()) or type(error).__name__
