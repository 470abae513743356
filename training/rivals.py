"""Smoothings that `streamer.decide.smooth.Belief` is compared with; all else of the decider is the same.

Each is a `streamer.decide.smooth.Filter`. A boundary begins them anew, since they hold no probability
that could be shifted.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.decide.smooth import Mean
from streamer.flow import Probabilities


class Ema:
    """Exponential mean of the probabilities: a window counts half after `half_life_s`."""

    def __init__(self, half_life_s: float) -> None:
        self._mean = Mean(half_life_s)

    def push(self, probabilities: Probabilities, new_s: float) -> NDArray[np.float64]:
        """See `Filter`."""
        return self._mean.push(probabilities, new_s).astype(np.float64)

    def boundary(self) -> None:
        """See `Filter`."""
        self._mean.reset()

    reset = boundary


class Median:
    """Median of each label's probability over the windows of the last `span_s`, made to sum to 1."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._held: list[tuple[float, Probabilities]] = []

    def push(self, probabilities: Probabilities, new_s: float) -> NDArray[np.float64]:
        """See `Filter`."""
        aged = [(age + new_s, p) for age, p in self._held if age + new_s < self._span_s - 1e-9]
        self._held = [*aged, (0.0, probabilities)]
        middle = np.median(np.stack([p for _, p in self._held]), axis=0).astype(np.float64) + 1e-6
        return middle / middle.sum()

    def boundary(self) -> None:
        """See `Filter`."""
        self._held = []

    reset = boundary
