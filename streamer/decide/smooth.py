"""Smoothing over time, stated in seconds of audio, so that the hop can change and the behaviour not.

Two filters take the same windows: `Mean` says how probable each label is, `Belief` when to give
up the label that was said for another. Why two: docs/decisions/0012-belief-and-mean.md.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamer.contract import Contract
from streamer.flow import Probabilities

Values: TypeAlias = float | NDArray[np.float64]
"""A parameter; (n, 1) values of it make a filter n filters at once, which `training.tune` tries."""

OUTLIER = 0.02
"""Share of windows that say nothing of what plays: so a single one can't outweigh all before it."""


class Mean:
    """Mean of the windows' probabilities in which a window counts half after `half_life_s`, calibrated.

    A window weighs by the seconds of new audio that it brings, so overlap does not count twice. A mean
    over tracks and boundaries is less certain than it could be: it is raised to the power `sharpness`.
    """

    def __init__(self, half_life_s: Values, sharpness: Values = 1.0) -> None:
        self._half_life_s, self._sharpness = half_life_s, sharpness
        self._sum: NDArray[np.float64] | None = None
        self._weight: Values = 0.0

    def push(self, probabilities: Probabilities, new_s: float) -> Probabilities:
        """Take one window's (n_labels,) probabilities and the seconds of it that no window before had.

        Returns:
            the smoothed probabilities, (..., n_labels).
        """
        keep = 0.5 ** (new_s / self._half_life_s)
        if self._sum is None:
            self._sum, self._weight = np.zeros(len(probabilities)), 0.0
        self._sum = keep * self._sum + (1.0 - keep) * probabilities
        self._weight = keep * self._weight + (1.0 - keep)
        powers = (self._sum / self._weight) ** self._sharpness
        smoothed: Probabilities = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
        return smoothed

    def reset(self) -> None:
        """Forget everything: what comes next has nothing to do with what was."""
        self._sum = None


class Belief:
    """Which label plays, as the forward filter of a sticky hidden Markov model has it.

    A label is left for a random one at the rate 1 / `expected_stay_s`. A window is evidence by its
    probabilities over the even prior, to a power that counts only its new seconds and, since windows
    of one track are wrong together, only a part of those: `evidence` between genres, `kind_evidence`
    between music, speech and noise, which the model tells apart far better. Half the change comes
    before the evidence and half after it (Strang 1968), so that the hop matters only to second order.
    """

    def __init__(
        self,
        music: NDArray[np.bool_],
        window_s: float,
        *,
        expected_stay_s: Values,
        evidence: Values,
        kind_evidence: Values,
        boundary_change: Values,
    ) -> None:
        self._music, self._window_s = music, window_s
        self._n, self._genres = len(music), int(music.sum())
        self._exponents = np.where(music, evidence, kind_evidence)
        self._between = np.asarray(kind_evidence) - evidence
        self._stay_s, self._change = expected_stay_s, boundary_change
        self._even: NDArray[np.float64] = np.full(self._n, 1.0 / self._n)
        self._belief = self._even

    @classmethod
    def of(cls, contract: Contract) -> "Belief":
        """Make one as a model file states it."""
        decision = contract.decision
        return cls(
            np.array([label not in contract.not_music for label in contract.labels]),
            contract.front_end.window_s,
            expected_stay_s=decision.expected_stay_s,
            evidence=decision.evidence,
            kind_evidence=decision.kind_evidence,
            boundary_change=decision.boundary_change,
        )

    def push(self, probabilities: Probabilities, new_s: float) -> NDArray[np.float64]:
        """Take what `Mean.push` takes; give the (..., n_labels) beliefs, which sum to 1."""
        share = new_s / self._window_s
        leave = -np.expm1(-0.5 * new_s / self._stay_s)
        certain = (1.0 - OUTLIER) * probabilities + OUTLIER / self._n
        likelihood = (self._n * certain) ** (share * self._exponents)
        music = float(certain[self._music].sum()) * self._n / self._genres
        likelihood[..., self._music] *= music ** (share * self._between)
        belief = likelihood * self._mixed(self._belief, leave)
        self._belief = self._mixed(belief / belief.sum(axis=-1, keepdims=True), leave)
        return self._belief

    def boundary(self) -> None:
        """Take note that another label is likelier from here: a new title, or the end of a silence."""
        self._belief = self._mixed(self._belief, self._change)

    def reset(self) -> None:
        """Forget everything."""
        self._belief = self._even

    def _mixed(self, belief: NDArray[np.float64], change: Values) -> NDArray[np.float64]:
        """Give the beliefs after a change to a random label, of that probability."""
        mixed: NDArray[np.float64] = (1.0 - change) * belief + change / self._n
        return mixed
