"""How often a worker's loop wakes: for many stations, once a tick for all that has come since."""

import selectors
import time


class TickSelector(selectors.DefaultSelector):
    """Wakes at most once a tick, for all that has come since, and knows for how long it slept.

    A wake finds a core's caches filled by others, so a station for itself costs half as much again as
    one among ten (docs/performance.md).
    """

    tick_s = 0.0
    idle_s = 0.0
    _woken = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors`. Within a tick nothing new is looked for, and timers may be a tick late."""
        before = time.monotonic()
        wait_s = self._woken + self.tick_s - before
        if timeout is not None and timeout <= 0:
            return [] if wait_s > 0 else self._look(0)
        if wait_s > 0:
            time.sleep(wait_s)
            timeout = None if timeout is None else max(timeout - wait_s, 0.0)
        ready = self._look(timeout)
        self.idle_s += self._woken - before
        return ready

    def _look(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        self._woken = time.monotonic()
        return ready
