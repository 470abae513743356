"""Wall time for positions in a stream, attached once, where audio arrives."""

# How quickly a delay that stays is taken for the stream's own: 10 ms a second. Faster than
# any clock drifts, and slow enough for a growing backlog to be seen as lag.
RELAX = 0.01
JUMP_S = 60.0  # no stream falls behind by a minute at once: the clock was set


class StationClock:
    """Dates the samples of one source by the arrivals that were earliest for their position.

    Where a burst comes at connect, its end is the live edge and what lies before it is
    dated backwards. Where audio waits somewhere, be it in the network or before a
    daemon that can't keep up, it is dated when it should have come, so that lag shows it.
    Nothing is dated later than now.
    """

    def __init__(self) -> None:
        self._zero = 0.0  # wall time of position 0
        self._now = 0.0

    def arrived(self, position_s: float, now: float) -> None:
        """Take note that the audio up to `position_s` is here at `now` (seconds since the epoch)."""
        zero = now - position_s
        if not self._now or abs(zero - self._zero) > JUMP_S:
            self._zero = zero
        else:
            self._zero = min(zero, self._zero + RELAX * max(now - self._now, 0.0))
        self._now = now

    def time_of(self, position_s: float) -> float:
        """Give the wall time of a position that has arrived."""
        return min(self._zero + position_s, self._now)
