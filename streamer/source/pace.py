"""Real time: how far a source may run ahead of the clock. Time comes in as an argument."""

AHEAD_S = (
    30.0  # what servers send at once when one connects: Icecast 64 KB (16 s at 32 kbit/s), HLS 3 segments
)
CATCH_UP = 1.25  # a sender's clock may be fast; no clock is by a quarter


class Pacer:
    """Holds back a source that sends faster than real time, after a burst that is let through.

    A file behind an http address, or a sender run wild, would otherwise take a whole core.
    Over time a sender may be a quarter too fast, so a clock that drifts is never held back.
    """

    def __init__(self, ahead_s: float = AHEAD_S) -> None:
        self._ahead_s = ahead_s
        self._level_s = 0.0
        self._then: float | None = None

    def wait_s(self, duration_s: float, now: float) -> float:
        """Give the seconds to wait after `duration_s` more audio came at `now` (monotonic)."""
        if self._then is not None:
            self._level_s = max(0.0, self._level_s - (now - self._then) * CATCH_UP)
        self._then = now
        self._level_s += duration_s
        return max(0.0, (self._level_s - self._ahead_s) / CATCH_UP)
