"""Smoothings that `streamer.decide.smooth.Belief` is compared with; all else of the decider is the same.

Each is a `training.replay.Filter`. A boundary begins them anew, since they hold no probability
that could be shifted.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.decide.smooth import Mean, Values
from streamer.flow import Probabilities


class Ema:
    """Exponential mean of the probabilities: a window counts half after `half_life_s`."""

    def __init__(self, half_life_s: Values) -> None:
        self._mean = Mean(half_life_s)

    def push(self, probabilities: Probabilities, new_s: float) -> NDArray[np.float64]:
        """See `Filter`."""
        return self._mean.push(probabilities, new_s).astype(np.float64)

    def boundary(self) -> None:
        """See `Filter`."""
        self._mean.reset()


class Median:
    """Median of each label's probability over the windows of the last spans, made to sum to 1.

    Args:
        spans_s: (n,) one for each of n filters.
    """

    def __init__(self, spans_s: NDArray[np.float64]) -> None:
        self._spans_s = spans_s
        self._held: list[tuple[float, Probabilities]] = []

    def push(self, probabilities: Probabilities, new_s: float) -> NDArray[np.float64]:
        """See `Filter`."""
        aged = [(age + new_s, p) for age, p in self._held if age + new_s < self._spans_s.max()]
        self._held = [*aged, (0.0, probabilities)]
        ages = np.array([age for age, _ in self._held])
        rows = np.stack([p for _, p in self._held])
        known = {span: np.median(rows[ages < span - 1e-9], axis=0) for span in set(self._spans_s.tolist())}
        middle = np.stack([known[span] for span in self._spans_s.tolist()]).astype(np.float64) + 1e-6
        return middle / middle.sum(axis=1, keepdims=True)

    def boundary(self) -> None:
        """See `Filter`."""
        self._held = []
