"""What there is to tell of a station's day or week. Days are those of the viewer's zone."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise

import msgspec

from streamer.errors import HistoryError
from streamer.history.rows import HOUR_S, Segment, TrackRow, after, by_hour, what
from streamer.history.store import Store
from streamer.history.when import beginning

UNKNOWN = "unknown"
"""Time of which nothing is kept: the daemon did not run, or its messages were lost."""

BREAK_S = 10.0  # an interruption that is shorter is not worth a line


class Day(msgspec.Struct, frozen=True):
    """A day, from its beginning to the next one's: 23 to 25 hours."""

    date: date
    begin: float
    end: float


class Break(msgspec.Struct, frozen=True):
    """A time without signal, or one of which nothing is known."""

    what: str
    begin: float
    end: float


class Hour(msgspec.Struct, frozen=True):
    """An hour of the clock, over all days: what its time was spent on.

    Attributes:
        hour: 0 to 23.
        possible: seconds that it had, so far.
        seconds: by genre or state.
    """

    hour: int
    possible: float
    seconds: dict[str, float]


class Report(msgspec.Struct, frozen=True):
    """All that is told.

    Attributes:
        end: of the last day, or now where that is earlier.
        segments: cut to what lies inside.
        seconds: by genre or state, most first.
    """

    station: str
    days: list[Day]
    end: float
    segments: list[Segment]
    tracks: list[TrackRow]
    seconds: dict[str, float]

    @property
    def begin(self) -> float:
        """When the first day begins."""
        return self.days[0].begin

    @property
    def total(self) -> float:
        """Seconds that are told of, known or not."""
        return self.end - self.begin

    def share(self, *said: str) -> float:
        """Give the share of all time in which one of these was said."""
        return sum(self.seconds.get(one, 0.0) for one in said) / self.total

    def breaks(self) -> Iterator[Break]:
        """Give each time without signal or knowledge, those that follow each other as one."""
        edges = [Segment("", "", None, None, self.begin, self.begin), *self.segments]
        edges.append(Segment("", "", None, None, self.end, self.end))
        begun: float | None = None
        for before, segment in pairwise(edges):
            hole = segment.start - before.end >= BREAK_S
            silent = segment.state == "no-signal"
            if begun is not None and (hole or not silent):
                if before.end - begun >= BREAK_S:
                    yield Break("no-signal", begun, before.end)
                begun = None
            if hole:
                yield Break(UNKNOWN, before.end, segment.start)
            if silent and begun is None:
                begun = segment.start

    def hours(self) -> list[Hour]:
        """Give the 24 hours of the clock."""
        seconds: list[defaultdict[str, float]] = [defaultdict(float) for _ in range(24)]
        possible = [0.0] * 24
        clock = {}
        for day in self.days:
            for hour in range(int(day.begin), int(day.end), HOUR_S):
                clock[hour] = datetime.fromtimestamp(hour).hour
                possible[clock[hour]] += min(max(self.end - hour, 0.0), HOUR_S)
        for segment in self.segments:
            for hour, inside in by_hour(segment, origin=int(self.begin)):
                seconds[clock[hour]][what(segment)] += inside
        return [Hour(i, possible[i], dict(seconds[i])) for i in range(24)]


def one_day(of: date) -> list[Day]:
    """Give a day by itself."""
    return [Day(of, beginning(of), beginning(of + timedelta(days=1)))]


def one_week(of: date) -> list[Day]:
    """Give the week, Monday to Sunday, in which a day lies."""
    monday = of - timedelta(days=of.weekday())
    return [day for i in range(7) for day in one_day(monday + timedelta(days=i))]


def gather(store: Store, station: str, days: list[Day], now: float) -> Report:
    """Give what a history knows of a station in some days.

    Raises:
        HistoryError: it knows nothing of that time.
    """
    begin, end = days[0].begin, min(days[-1].end, now)
    segments = [
        msgspec.structs.replace(after(segment, begin), end=min(segment.end, end))
        for segment in store.segments(station=station, since=begin, until=end)
    ]
    if not segments:
        raise HistoryError(
            f"nothing is known of station '{station}' from {days[0].date} to {days[-1].date}",
            remedy=f"see what is known: genrecast history --station {station} --since 30d --hours",
        )
    seconds: defaultdict[str, float] = defaultdict(float)
    for segment in segments:
        seconds[what(segment)] += segment.end - segment.start
    tracks = store.tracks(station=station, since=begin, until=end)
    return Report(
        station, days, end, segments, tracks, dict(sorted(seconds.items(), key=lambda said: -said[1]))
    )
