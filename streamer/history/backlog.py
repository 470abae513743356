"""What waits to be written: bounded, so that a database that is away for a week costs no more than rows."""

from collections import deque
from collections.abc import Mapping
from itertools import islice

import msgspec

from streamer.history.rows import Heard, Open, Segment, after

BOUND = 50_000  # finished rows: forty stations for two days, some 20 MB
SLICE = 1000  # rows that are written at once


class Slice(msgspec.Struct, frozen=True):
    """The oldest of what waits; `opened` only where that is all, as it would hide what is still to come."""

    segments: list[Segment]
    tracks: list[Heard]
    opened: list[Open]

    def __len__(self) -> int:
        return len(self.segments) + len(self.tracks) + len(self.opened)


class Backlog:
    """Finished rows in the order in which they ended, and the open segments that have changed.

    When it is full the oldest rows go; `dropped` counts them.
    """

    def __init__(self, bound: int = BOUND) -> None:
        self.dropped = 0
        self._bound = bound
        self._rows: deque[Segment | Heard] = deque()
        self._opened: dict[str, Open] = {}

    def __len__(self) -> int:
        return len(self._rows) + len(self._opened)

    def add(self, row: Segment | Heard) -> None:
        """Take a finished row; a segment that took no time is nothing to keep."""
        if isinstance(row, Segment) and row.end <= row.start:
            return
        self._rows.append(row)
        if len(self._rows) > self._bound:
            self._rows.popleft()
            self.dropped += 1

    def open(self, one: Open) -> None:
        """Take the open segment of a station, instead of the one before."""
        self._opened[one.segment.station] = one

    def begin_after(self, ends: Mapping[str, float]) -> None:
        """Cut what waits where something else is known up to a moment, by station."""
        rows, self._rows = self._rows, deque()
        for row in rows:
            if isinstance(row, Segment) and row.station in ends:
                self.add(after(row, ends[row.station]))
            else:
                self.add(row)

    def slice(self) -> Slice:
        """Give what is to be written next; `done` takes it off."""
        rows = list(islice(self._rows, SLICE))
        return Slice(
            [row for row in rows if isinstance(row, Segment)],
            [row for row in rows if isinstance(row, Heard)],
            list(self._opened.values()) if len(rows) == len(self._rows) else [],
        )

    def done(self, written: Slice) -> None:
        """Take off what has been written."""
        for _ in range(len(written.segments) + len(written.tracks)):
            self._rows.popleft()
        for one in written.opened:
            if self._opened.get(one.segment.station) is one:
                del self._opened[one.segment.station]
