"""Smoothings that the streamer's is compared with; all else of the decider is the same.

Each is a `training.replay.Filter` of n settings at once, their parameters (n, 1) arrays.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Probabilities

Values = NDArray[np.float64]
OUTLIER = 0.02  # of windows: those that say nothing of what plays


class Ema:
    """Exponential mean of the probabilities: a window counts half after `half_life_s`."""

    def __init__(self, half_life_s: Values) -> None:
        self._half_life_s = half_life_s
        self.boundary()

    def push(self, probabilities: Probabilities, new_s: float) -> Values:
        """See `Filter`."""
        keep = 0.5 ** (new_s / self._half_life_s)
        self._sum = keep * self._sum + (1.0 - keep) * probabilities
        self._weight = keep * self._weight + (1.0 - keep)
        return self._sum / self._weight

    def boundary(self) -> None:
        """See `Filter`."""
        self._sum = self._weight = np.zeros_like(self._half_life_s)


class Median:
    """Median of each label's probability over the windows of the last `span_s`, made to sum to 1."""

    def __init__(self, span_s: Values) -> None:
        self._spans_s = span_s[:, 0].tolist()
        self.boundary()

    def push(self, probabilities: Probabilities, new_s: float) -> Values:
        """See `Filter`."""
        longest_s = max(self._spans_s)
        aged = [(age + new_s, p) for age, p in self._held if age + new_s < longest_s]
        self._held = [*aged, (0.0, probabilities)]
        ages, rows = np.array([age for age, _ in self._held]), np.stack([p for _, p in self._held])
        known = {span: np.median(rows[ages < span - 1e-9], axis=0) for span in set(self._spans_s)}
        middle = np.stack([known[span] for span in self._spans_s]).astype(np.float64) + 1e-6
        return middle / middle.sum(axis=1, keepdims=True)

    def boundary(self) -> None:
        """See `Filter`."""
        self._held: list[tuple[float, Probabilities]] = []


class StickyHmm:
    """Forward filter of a sticky hidden Markov model whose states are the labels.

    A label is left for a random one once in `STAY_S` on average. A window is evidence by its
    probabilities over the even prior, to a power that counts only its new seconds and, since windows
    of a track are wrong together, only a share of those: `evidence` between genres, at least
    `KIND_EVIDENCE` between music, speech and noise. Half the change comes before the evidence and
    half after it (Strang 1968), so that the hop matters only to second order.
    """

    STAY_S = 60.0
    KIND_EVIDENCE = 1.5
    CHANGE = 0.8  # at a boundary

    def __init__(self, evidence: Values, music: NDArray[np.bool_], window_s: float) -> None:
        self._music, self._window_s, self._n = music, window_s, len(music)
        kind = np.maximum(evidence, self.KIND_EVIDENCE)
        self._exponents, self._between = np.where(music, evidence, kind), kind - evidence
        self._belief = np.full((len(evidence), self._n), 1.0 / self._n)

    def push(self, probabilities: Probabilities, new_s: float) -> Values:
        """See `Filter`."""
        share, leave = new_s / self._window_s, -np.expm1(-0.5 * new_s / self.STAY_S)
        certain = (1.0 - OUTLIER) * probabilities + OUTLIER / self._n
        likelihood = (self._n * certain) ** (share * self._exponents)
        music = certain[self._music].sum() * self._n / self._music.sum()
        likelihood[:, self._music] *= music ** (share * self._between)
        belief = likelihood * self._mixed(leave)
        self._belief = belief / belief.sum(axis=1, keepdims=True)
        self._belief = self._mixed(leave)
        return self._belief

    def boundary(self) -> None:
        """See `Filter`."""
        self._belief = self._mixed(self.CHANGE)

    def _mixed(self, change: float) -> Values:
        return (1.0 - change) * self._belief + change / self._n
