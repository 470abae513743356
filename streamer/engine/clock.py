"""Wall time for positions in a stream, attached once, where audio arrives."""


class StationClock:
    """Dates the samples of one source: a block's arrival dates its last sample.

    Earlier samples of the block lie before it by their distance, so a burst that comes
    in one block is dated backwards and nothing is ever dated later than now.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._position_s = 0.0

    def arrived(self, position_s: float, now: float) -> None:
        """Take note that the audio up to `position_s` is here at `now` (seconds since the epoch)."""
        self._position_s, self._now = position_s, now

    def time_of(self, position_s: float) -> float:
        """Give the wall time of a position that has arrived."""
        return self._now - max(self._position_s - position_s, 0.0)
