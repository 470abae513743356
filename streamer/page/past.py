"""What was kept of stations, as the page shows it: read from the history, where one is configured."""

import time
from collections import defaultdict
from typing import Any

from streamer.errors import HistoryMissingError
from streamer.history.place import kept_at
from streamer.history.store import Segment, Store
from streamer.page.station import Began
from streamer.sections import HistoryConfig

DAY_S = 86_400.0
HOURS_S = 28 * DAY_S  # four of each hour of the week
TRACKS = 50


class Past:
    """Reads the history anew each time: it may be moved aside, or come later than the page.

    Args:
        history: where it is kept; None where none is.
    """

    def __init__(self, history: HistoryConfig | None) -> None:
        self._url = kept_at(history) if history is not None and history.enabled else None

    def of(self, station: str) -> dict[str, Any] | None:
        """Give the last `tracks` of a station, newest first, and its `hours`; None where none is kept.

        Raises:
            GenrecastError: it can't be read.
        """
        if self._url is None:
            return None
        store = Store.open(self._url)
        try:
            tracks = store.tracks(station=station, limit=TRACKS)
            hours = store.hours(station=station, since=time.time() - HOURS_S)
        finally:
            store.close()
        told = [
            {
                "title": track.title,
                "what": track.genre,
                "confidence": track.confidence,
                "start": track.start,
                "end": track.end,
            }
            for track in reversed(tracks)
        ]
        return {"tracks": told, "hours": [(share.hour, share.what, round(share.seconds)) for share in hours]}

    def strips(self, since: float) -> dict[str, Began]:
        """Give what each station played since then.

        Raises:
            GenrecastError: it can't be read.
        """
        if self._url is None:
            return {}
        try:
            store = Store.open(self._url)
        except HistoryMissingError:  # both begin at the same time, the first time
            return {}
        try:
            segments = store.segments(since=since)
        finally:
            store.close()
        strips: defaultdict[str, list[Segment]] = defaultdict(list)
        for segment in segments:
            strips[segment.station].append(segment)
        return {station: _began(kept) for station, kept in strips.items()}


def _began(segments: list[Segment]) -> Began:
    began: list[tuple[float, str | None]] = []
    end = segments[0].start
    for segment in segments:
        if segment.start - end > 1.0:
            began.append((end, None))
        began.append((segment.start, segment.genre or segment.state))
        end = segment.end
    return [*began, (end, None)]
