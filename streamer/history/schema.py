"""The tables, in one SQL for both databases, and the steps that lead to them from each version before.

`open_segment` holds the one segment of each station that still grows: written four times a second, it fits on
a page or two of the file, whatever lies in `segment`. A finished segment is added to its hours in the
transaction that writes it.
"""

from streamer.errors import HistoryVersionError

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE segment (
            station TEXT NOT NULL, started DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION NOT NULL,
            state TEXT NOT NULL, genre TEXT, confidence DOUBLE PRECISION,
            PRIMARY KEY (station, started)
        ){clustered}""",
        "CREATE INDEX segment_started ON segment (started)",
        """CREATE TABLE open_segment (
            station TEXT NOT NULL PRIMARY KEY, boot TEXT NOT NULL,
            started DOUBLE PRECISION NOT NULL, ended DOUBLE PRECISION NOT NULL,
            state TEXT NOT NULL, genre TEXT, confidence DOUBLE PRECISION
        ){clustered}""",
        """CREATE TABLE track (
            station TEXT NOT NULL, ended DOUBLE PRECISION NOT NULL, boot TEXT NOT NULL, seq BIGINT NOT NULL,
            started DOUBLE PRECISION NOT NULL, seconds DOUBLE PRECISION NOT NULL,
            title TEXT, genre TEXT, confidence DOUBLE PRECISION,
            PRIMARY KEY (station, ended, boot, seq)
        ){clustered}""",
        "CREATE INDEX track_ended ON track (ended)",
        """CREATE TABLE hourly (
            station TEXT NOT NULL, hour BIGINT NOT NULL, what TEXT NOT NULL,
            seconds DOUBLE PRECISION NOT NULL,
            PRIMARY KEY (station, hour, what)
        ){clustered}""",
        "CREATE INDEX hourly_hour ON hourly (hour)",
    ),
)
"""One step a version, each a few statements; `{clustered}` is what SQLite needs to keep rows in order."""

VERSION = len(MIGRATIONS)


def unlike(name: str, version: int) -> HistoryVersionError:
    """Give the error of a history that is of another version."""
    return HistoryVersionError(
        f"{name}: of version {version}, and this genrecast reads {VERSION}",
        remedy="update genrecast" if version > VERSION else "let the daemon run: it brings it up to date",
    )


def steps(version: int, *, clustered: str) -> list[str]:
    """Give the statements that lead from a version (0: nothing is there) to the newest."""
    return [statement.format(clustered=clustered) for step in MIGRATIONS[version:] for statement in step]
