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
        """See `selectors`."""
        if timeout is not None and timeout <= 0:
            ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
            return ready
        before = time.monotonic()
        wait_s = self._woken + self.tick_s - before
        if wait_s > 0:
            wait_s = wait_s if timeout is None else min(wait_s, timeout)
            time.sleep(wait_s)
            timeout = None if timeout is None else timeout - wait_s
        ready = super().select(timeout)
        self._woken = time.monotonic()
        self.idle_s += self._woken - before
        return ready
