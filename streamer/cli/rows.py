"""How rows of the history look to a person: a line each, in the viewer's zone, which each names."""

from datetime import datetime

from streamer.history.rows import HOUR_S, HourShare, Segment, TrackRow, what
from streamer.text import printable


def line(row: Segment | TrackRow | HourShare) -> str:
    """Give a line."""
    match row:
        case Segment():
            begin, seconds, said, share, title = row.start, row.end - row.start, what(row), row.confidence, ""
        case TrackRow():
            begin, seconds, said, share = row.start, row.seconds, row.genre or "-", row.confidence
            title = row.title or ""
        case HourShare():
            begin, seconds, said, share, title = row.hour, row.seconds, row.what, row.seconds / HOUR_S, ""
    text = f"{row.station:<12}  {said:<12}{_share(share)}  {title}"
    return f"{_begin(begin)}  {_length(seconds)}  {printable(text).rstrip()}"


def _begin(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _length(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:2}:{minute:02}:{second:02}"


def _share(share: float | None) -> str:
    return "    " if share is None else f"{share:4.0%}"
