"""What a history is made of: segments, tracks, shares of hours. Times are seconds since the epoch (UTC)."""

from collections.abc import Iterator

import msgspec

HOUR_S = 3600
DAY_S = 86_400.0
LONGEST_S = DAY_S
"""A segment that lasts longer is told as two, so that no reader has to look further back than that."""


class Segment(msgspec.Struct, frozen=True):
    """A stretch of time in which one thing was said of a station.

    Attributes:
        genre: set in state `music`.
        confidence: mean over its time; None of what is measured and not guessed.
    """

    station: str
    state: str
    genre: str | None
    confidence: float | None
    start: float
    end: float


class TrackRow(msgspec.Struct, frozen=True):
    """A track and its verdict; `genre` and `confidence` are None where no music was."""

    station: str
    title: str | None
    genre: str | None
    confidence: float | None
    start: float
    end: float
    seconds: float


class HourShare(msgspec.Struct, frozen=True):
    """How long one thing was said of a station within an hour.

    Attributes:
        hour: when the hour began.
        what: a genre where the state was `music`, else the state.
    """

    station: str
    hour: int
    what: str
    seconds: float


class Open(msgspec.Struct, frozen=True):
    """The segment of a station that still grows, and the run of the daemon that told it."""

    boot: str
    segment: Segment


class Heard(msgspec.Struct, frozen=True):
    """A track and the message that told it: its identity, however often it is written."""

    boot: str
    seq: int
    track: TrackRow


def what(segment: Segment) -> str:
    """Give what a segment counts as: its genre in state `music`, else its state."""
    return segment.genre or segment.state


def by_hour(segment: Segment, origin: int = 0) -> Iterator[tuple[int, float]]:
    """Give each hour that a segment touches, as its beginning and the seconds inside.

    Args:
        segment: to be cut.
        origin: any beginning of an hour; the epoch, as hours are counted in UTC.
    """
    begin = segment.start
    while begin < segment.end:
        hour = origin + int((begin - origin) // HOUR_S) * HOUR_S
        end = min(segment.end, hour + HOUR_S)
        yield hour, end - begin
        begin = end


def after(segment: Segment, moment: float) -> Segment:
    """Give what of a segment lies after a moment."""
    start = max(segment.start, moment)
    return msgspec.structs.replace(segment, start=start, end=max(start, segment.end))
