"""Smoothing over time, stated in seconds of audio, so that the hop can change and the behaviour not."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Probabilities

Values: TypeAlias = float | NDArray[np.float64]
"""A parameter; (n, 1) values of it make a filter n filters at once, which `training.tune` tries."""

FLOOR = 0.03
"""Added to each probability, so that one window can't rule a label out; see docs/decisions/0012."""
_FLOOR = np.array(FLOOR)  # with which float32 becomes float64


class Mean:
    """Geometric mean of the windows' probabilities in which a window counts half after `half_life_s`.

    A window weighs by the seconds of new audio that it brings, so overlap does not count twice. The
    mean is raised to the power `sharpness`, with which it is calibrated.

    Args:
        half_life_s: seconds of audio.
        sharpness: power of the mean.
        boundary_keeps: share of the weight of all that was heard which stays over a boundary.
    """

    def __init__(self, half_life_s: Values, sharpness: Values = 1.0, boundary_keeps: Values = 0.0) -> None:
        self._half_life_s, self._sharpness, self._keeps = half_life_s, sharpness, boundary_keeps
        self._sum: Values = 0.0
        self._weight: Values = 0.0

    def push(self, probabilities: Probabilities, new_s: float) -> Probabilities:
        """Take one window's (n_labels,) probabilities and the seconds of it that no window before had.

        Returns:
            the smoothed probabilities, (..., n_labels).
        """
        keep = 0.5 ** (new_s / self._half_life_s)
        logs = np.log(probabilities + _FLOOR)
        self._sum = keep * self._sum + (1.0 - keep) * logs
        self._weight = keep * self._weight + (1.0 - keep)
        powers = np.exp(self._sharpness * self._sum / self._weight)
        powers /= np.add.reduce(powers, axis=-1, keepdims=True)
        smoothed: Probabilities = powers.astype(np.float32)
        return smoothed

    def boundary(self) -> None:
        """Take note that what comes may be something else: a new title, or what follows a silence."""
        self._sum, self._weight = self._keeps * self._sum, self._keeps * self._weight

    def reset(self) -> None:
        """Forget everything: what comes next has nothing to do with what was."""
        self._sum = self._weight = 0.0
