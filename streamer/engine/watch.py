"""Notices that nothing has happened for a while, at next to no cost while something does."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Watch:
    """Calls `expired` when `kick` has not been called for so long, and again each time that passes.

    One timer, moved only when it fires: a kick is the reading of a clock.

    Args:
        seconds: gives how long; asked anew each time, since a source may learn to be patient.
        expired: is called.
    """

    def __init__(self, seconds: Callable[[], float], expired: Callable[[], None]) -> None:
        self._seconds = seconds
        self._expired = expired
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._last = self._loop.time()
        self._timer = self._loop.call_later(self._seconds(), self._look)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def kick(self) -> None:
        """Take note that something has happened."""
        self._last = self._loop.time()

    def _look(self) -> None:
        left = self._last + self._seconds() - self._loop.time()
        if left <= 0:
            self._expired()
            left = self._seconds()
        self._timer = self._loop.call_later(left, self._look)


async def hang(beats: Callable[[], int], first_s: float, then_s: float) -> None:
    """Return when another process gives no sign of life any more.

    Args:
        beats: counts its signs of life.
        first_s: seconds for the first of them.
        then_s: seconds for each further one.
    """
    seen, left_s = beats(), first_s
    while left_s > 0:
        before = time.monotonic()
        await asyncio.sleep(1.0)
        # Who slept longer than asked was held up together with the other: that is no hang.
        left_s -= min(time.monotonic() - before, 2.0)
        if beats() != seen:
            seen, left_s = beats(), then_s
