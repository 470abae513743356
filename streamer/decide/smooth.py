"""Smoothing over time, stated in seconds of audio, so that the hop can change and the behaviour not."""

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Probabilities


class Smoother:
    """Mean of the windows' probabilities in which a window counts half after `half_life_s`.

    A mean of calibrated probabilities is never more certain than they are. A window
    weighs by the seconds of new audio that it brings, so overlap does not count twice.
    """

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._sum: NDArray[np.float64] | None = None
        self._weight = 0.0

    def push(self, probabilities: Probabilities, new_s: float) -> Probabilities:
        """Take one window's (n_labels,) probabilities and the seconds of it that no window before had.

        Returns:
            the smoothed probabilities, (n_labels,).
        """
        keep = 0.5 ** (new_s / self._half_life_s)
        if self._sum is None:
            self._sum, self._weight = np.zeros(len(probabilities)), 0.0
        self._sum = keep * self._sum + (1.0 - keep) * probabilities
        self._weight = keep * self._weight + (1.0 - keep)
        smoothed: Probabilities = (self._sum / self._weight).astype(np.float32)
        return smoothed

    def reset(self) -> None:
        """Forget everything: what comes next has nothing to do with what was."""
        self._sum = None
