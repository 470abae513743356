"""Smoothing over time, stated in seconds of audio, so that the hop can change and the behaviour not."""

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Probabilities


class Smoother:
    """Mean of the windows' probabilities in which a window counts half after `half_life_s`.

    A mean of calibrated probabilities is never more certain than they are. Weights
    are by the seconds that lie between windows, and normalised by what has been seen,
    so that the first windows are not favoured.
    """

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._sum: NDArray[np.float64] | None = None
        self._weight = 0.0
        self._position_s = 0.0

    def push(self, probabilities: Probabilities, position_s: float) -> Probabilities:
        """Take one window's (n_labels,) probabilities and where it ends; give the smoothed ones."""
        if self._sum is None:
            self._sum, self._weight = probabilities.astype(np.float64), 1.0
        else:
            keep = 0.5 ** (max(position_s - self._position_s, 0.0) / self._half_life_s)
            self._sum = keep * self._sum + (1.0 - keep) * probabilities
            self._weight = keep * self._weight + (1.0 - keep)
        self._position_s = position_s
        smoothed: Probabilities = (self._sum / self._weight).astype(np.float32)
        return smoothed

    def reset(self) -> None:
        """Forget everything: what comes next has nothing to do with what was."""
        self._sum = None
