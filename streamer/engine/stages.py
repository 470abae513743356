"""What CPU time is spent on: in a worker, by a stopwatch at the seams of the engine."""

from collections import defaultdict
from collections.abc import Mapping
from time import process_time, thread_time

MEASURED = ("front_end", "model", "decide", "tell")


class Stages:
    """A stopwatch of the one thread that does all of `MEASURED`.

    Between a `start` and its laps nothing else may have its turn on the loop.
    """

    def __init__(self) -> None:
        self._seconds = {"start": process_time(), **dict.fromkeys(MEASURED, 0.0)}
        self._at = 0.0

    def start(self) -> None:
        """Start the watch."""
        self._at = thread_time()

    def lap(self, stage: str) -> None:
        """Book what was spent since the start, or the lap before, to a stage."""
        now = thread_time()
        self._seconds[stage] += now - self._at
        self._at = now

    def told(self) -> dict[str, float]:
        """Give the seconds that were spent on each stage, before all on `start`, and besides on `source`.

        The last is to read, to cut and to decode, and to give each station its turn.
        """
        return {**self._seconds, "source": process_time() - sum(self._seconds.values())}


def total(*accounts: Mapping[str, float]) -> dict[str, float]:
    """Add up what several spent, to the millisecond."""
    sums = defaultdict[str, float](float)
    for account in accounts:
        for stage, seconds in account.items():
            sums[stage] += seconds
    return {stage: round(seconds, 3) for stage, seconds in sums.items()}
