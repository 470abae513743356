"""What stations played, in a SQLite file or on a PostgreSQL server: one writer, any number of readers.

All times are seconds since the epoch (UTC). Rows come oldest first; `since` and `until` give what lies at
least partly between them, whole; `limit` gives the newest so many.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from streamer.errors import HistoryError
from streamer.history.database import Database, Execute
from streamer.history.place import is_server
from streamer.history.rows import (
    HOUR_S,
    LONGEST_S,
    Heard,
    HourShare,
    Open,
    Segment,
    TrackRow,
    by_hour,
    what,
)
from streamer.history.sqlite import Sqlite

__all__ = ["Heard", "HourShare", "Open", "Segment", "Store", "TrackRow"]

_SEGMENT = "station, state, genre, confidence, started, ended"
_TRACK = "station, title, genre, confidence, started, ended, seconds"


class Store:
    """History in a database; see `open`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    def open(cls, url: str, *, write: bool = False) -> "Store":
        """Open a history: a path is a SQLite file, `postgresql://...` a server.

        Raises:
            HistoryError: it can't be opened, or none is there; every other method raises it too.
            MissingExtraError: psycopg is not installed.
        """
        if is_server(url):
            from streamer.history.postgres import Postgres

            return cls(Postgres(url, write=write))
        return cls(Sqlite(Path(url), write=write))

    def segments(
        self,
        *,
        station: str | None = None,
        since: float | None = None,
        until: float | None = None,
        genre: str | None = None,
        limit: int | None = None,
    ) -> list[Segment]:
        """Give segments; `genre` may also be a state, such as `speech`."""
        where, values = _where(
            ("station = ?", station),
            ("ended > ?", since),
            ("started > ?", None if since is None else since - LONGEST_S),
            ("started < ?", until),
            ("? IN (genre, state)", genre),
        )
        rows = self._database.read(
            f"SELECT {_SEGMENT} FROM segment {where} UNION ALL "
            f"SELECT {_SEGMENT} FROM open_segment {where} AND ended > started "
            f"ORDER BY started DESC, station DESC{_limit(limit)}",
            values * 2,
        )
        return [Segment(*row) for row in reversed(rows)]

    def tracks(
        self,
        *,
        station: str | None = None,
        since: float | None = None,
        until: float | None = None,
        genre: str | None = None,
        limit: int | None = None,
    ) -> list[TrackRow]:
        """Give tracks, each once it has ended."""
        where, values = _where(
            ("station = ?", station), ("ended > ?", since), ("started < ?", until), ("genre = ?", genre)
        )
        rows = self._database.read(
            f"SELECT {_TRACK} FROM track {where} ORDER BY ended DESC, station DESC, seq DESC{_limit(limit)}",
            values,
        )
        return [TrackRow(*row) for row in reversed(rows)]

    def hours(
        self, *, station: str | None = None, since: float | None = None, until: float | None = None
    ) -> list[HourShare]:
        """Give shares of hours, each with what the open segment has of it so far."""
        first = None if since is None else since - HOUR_S
        where, values = _where(("station = ?", station), ("hour > ?", first), ("hour < ?", until))
        rows = self._database.read(f"SELECT station, hour, what, seconds FROM hourly {where}", values)
        shares = {(hour, name, said): float(seconds) for name, hour, said, seconds in rows}
        where, values = _where(("station = ?", station), ("ended > ?", since), ("started < ?", until))
        for row in self._database.read(f"SELECT {_SEGMENT} FROM open_segment {where}", values):
            segment = Segment(*row)
            for hour, seconds in by_hour(segment):
                if (first is None or hour > first) and (until is None or hour < until):
                    key = (hour, segment.station, what(segment))
                    shares[key] = shares.get(key, 0.0) + seconds
        return [
            HourShare(name, hour, said, seconds) for (hour, name, said), seconds in sorted(shares.items())
        ]

    def stations(self) -> list[str]:
        """Give all stations that something is known of."""
        return [row[0] for row in self._database.read("SELECT station FROM open_segment ORDER BY station")]

    def open_segments(self) -> list[Open]:
        """Give the last segment of each station, from which a writer goes on."""
        rows = self._database.read(f"SELECT boot, {_SEGMENT} FROM open_segment")
        return [Open(boot, Segment(*row)) for boot, *row in rows]

    def write(self, segments: Sequence[Segment], tracks: Sequence[Heard], opened: Sequence[Open]) -> None:
        """Keep finished segments, tracks, and segments that still grow: all of them or none.

        What is there already stays as it is, so that writing twice does no harm.
        """
        with self._database.writing() as execute:
            for segment in segments:
                _add(execute, segment)
            for heard in tracks:
                _add_track(execute, heard)
            for one in opened:
                _set_open(execute, one)

    def edge(self, rows: int) -> float | None:
        """Give when the oldest segment but so many began; None where there are no more than that."""
        found = self._database.read("SELECT started FROM segment ORDER BY started LIMIT 1 OFFSET ?", (rows,))
        return float(found[0][0]) if found else None

    def forget(self, before: float) -> None:
        """Delete what began before a moment, and make its room free."""
        with self._database.writing() as execute:
            execute("DELETE FROM segment WHERE started < ?", (before,))
            execute("DELETE FROM open_segment WHERE ended < ?", (before,))
            execute("DELETE FROM track WHERE ended < ?", (before,))
            execute("DELETE FROM hourly WHERE hour < ?", (before - HOUR_S,))
        self._database.tidy()

    def size_mb(self) -> float | None:
        """Give what the history takes in 10^6 bytes; None on a server, whose room is not ours to count."""
        return self._database.size_mb()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()


def check_station(store: Store, station: str) -> None:
    """Make sure that a history knows a station.

    Raises:
        HistoryError: it doesn't.
    """
    known = store.stations()
    if station not in known:
        some = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise HistoryError(
            f"no station '{station}' in this history",
            remedy=f"name one that is: {some}" if known else "let the daemon run",
        )


def _where(*conditions: tuple[str, Any]) -> tuple[str, list[Any]]:
    """Join the conditions that have a value."""
    given = [(sql, value) for sql, value in conditions if value is not None]
    return "WHERE " + " AND ".join(["TRUE", *(sql for sql, _ in given)]), [value for _, value in given]


def _limit(limit: int | None) -> str:
    return "" if limit is None else f" LIMIT {limit:d}"


def _add(execute: Execute, segment: Segment) -> None:
    row = msgspec.structs.astuple(segment)
    if not execute(f"INSERT INTO segment ({_SEGMENT}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", row):
        return
    for hour, seconds in by_hour(segment):
        execute(
            "INSERT INTO hourly (station, hour, what, seconds) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (station, hour, what) DO UPDATE SET seconds = hourly.seconds + excluded.seconds",
            (segment.station, hour, what(segment), seconds),
        )


def _add_track(execute: Execute, heard: Heard) -> None:
    execute(
        f"INSERT INTO track (boot, seq, {_TRACK}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (heard.boot, heard.seq, *msgspec.structs.astuple(heard.track)),
    )


def _set_open(execute: Execute, one: Open) -> None:
    execute(
        f"INSERT INTO open_segment (boot, {_SEGMENT}) VALUES (?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (station) DO UPDATE SET boot = excluded.boot, state = excluded.state, "
        "genre = excluded.genre, confidence = excluded.confidence, started = excluded.started, "
        "ended = excluded.ended",
        (one.boot, *msgspec.structs.astuple(one.segment)),
    )
