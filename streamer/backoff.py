"""How long to wait before what has failed is tried again."""

import random

FIRST_S = 1.0
HEALTHY_S = 30.0  # audio for this long means that the trouble is over, not that it pauses


class Backoff:
    """Doubles from `FIRST_S` up to a cap, with a fifth of jitter so that stations spread out.

    Args:
        cap_s: longest wait.
        chance: what jitters; a seeded one makes tests repeatable.
    """

    def __init__(self, cap_s: float, chance: random.Random | None = None) -> None:
        self._cap_s = cap_s
        self._chance = chance or random.Random()
        self._next_s = FIRST_S

    def failed(self, healthy_s: float) -> float:
        """Give the seconds to wait now, after audio had come for `healthy_s`."""
        if healthy_s >= HEALTHY_S:
            self._next_s = FIRST_S
        wait_s = min(self._next_s, self._cap_s)
        self._next_s = min(self._next_s * 2.0, self._cap_s)
        return wait_s * (0.8 + 0.4 * self._chance.random())
