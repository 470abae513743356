"""Figures from predictions: accuracy, recall, F1, calibration, risk, and intervals over groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
RESAMPLES = 2000
INTERVAL = (2.5, 97.5)  # per cent
BINS = 15


def confusion(targets: Ints, answers: Ints, n_labels: int) -> Ints:
    """Give (n_labels, n_labels) counts: rows are what it was, columns what was said."""
    counts = np.zeros((n_labels, n_labels), np.int64)
    np.add.at(counts, (targets, answers), 1)
    return counts


def recall(counts: Ints) -> Floats:
    """Give (n_labels,) shares of each label that were found; NaN where a label does not occur."""
    return _share(np.diag(counts), counts.sum(axis=1))


def precision(counts: Ints) -> Floats:
    """Give (n_labels,) shares of what was called a label that were it; NaN where it was never said."""
    return _share(np.diag(counts), counts.sum(axis=0))


def f1(counts: Ints) -> Floats:
    """Give (n_labels,) harmonic means of precision and recall; NaN where a label does not occur."""
    occurs, said = counts.sum(axis=1), counts.sum(axis=0)
    return np.where(occurs > 0, 2 * np.diag(counts) / np.maximum(occurs + said, 1), np.nan)


def _share(part: Ints, total: Ints) -> Floats:
    return np.where(total > 0, part / np.maximum(total, 1), np.nan)


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram: (bins,) mean confidence, share that was right, and weight of each bin."""

    confidence: Floats
    right: Floats
    weight: Floats

    @property
    def error(self) -> float:
        """The expected calibration error (Naeini et al. 2015)."""
        gaps = np.abs(self.confidence - self.right) * self.weight
        return float(np.nansum(gaps) / self.weight.sum())


def reliability(probabilities: Floats, targets: Ints, weights: Floats, bins: int = BINS) -> Reliability:
    """Compare the probability of the most probable label with how often it is right; empty bins are NaN.

    Args:
        probabilities: (n, labels).
        targets: (n,).
        weights: (n,), how much each counts.
        bins: of equal width.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    weight = np.bincount(which, weights, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            confidence=np.bincount(which, weights * confidence, minlength=bins) / weight,
            right=np.bincount(which, weights * right, minlength=bins) / weight,
            weight=weight,
        )


def calibration_error(probabilities: Floats, targets: Ints, weights: Floats) -> float:
    """Give the weighted expected calibration error of the most probable label."""
    return reliability(probabilities, targets, weights).error


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """What answering only the surest gives: (k,) shares answered, rising, and shares of those that are wrong.

    Equal confidences are answered together, so the order of the rows does not matter.
    """

    coverage: Floats
    risk: Floats

    @property
    def area(self) -> float:
        """The area under risk against coverage (AURC, Geifman et al. 2019)."""
        return float((self.risk * np.diff(self.coverage, prepend=0.0)).sum())

    def coverage_at(self, precision: float) -> float:
        """Give the largest share that can be answered with so much of it right; 0 where none can."""
        enough = self.coverage[1.0 - self.risk >= precision - 1e-12]
        return float(enough.max(initial=0.0))


def risk_coverage(confidence: Floats, right: NDArray[np.bool_]) -> RiskCoverage:
    """Take (n,) confidences and whether each answer was right, n >= 1."""
    order = np.argsort(-confidence, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)
    wrong = np.cumsum(~right[order])
    return RiskCoverage(coverage=(ends + 1) / len(order), risk=wrong[ends] / (ends + 1))


def auroc(above: Floats, below: Floats) -> float:
    """Give the probability that one of `above` is larger than one of `below`; ties count half."""
    if not (len(above) and len(below)):
        return float("nan")
    ordered = np.sort(below)
    wins = np.searchsorted(ordered, above, "left") + np.searchsorted(ordered, above, "right")
    return float(wins.mean() / (2 * len(below)))


def interval_over_groups(values: Floats, groups: Sequence[str], *, seed: int = 0) -> tuple[float, float]:
    """Give the 95% interval of a mean by bootstrap: whole groups are drawn, since their clips are alike.

    Of the differences of two answers to the same clips it is the paired interval.
    """
    return balanced_interval(values, np.zeros(len(values), np.int64), groups, seed=seed)


def balanced_interval(
    values: Floats, targets: Ints, groups: Sequence[str], *, seed: int = 0
) -> tuple[float, float]:
    """Give the 95% interval, by bootstrap over whole groups, of the mean over labels of each label's mean.

    A label of which no group was drawn is left out of that draw.
    """
    if not len(values):
        return float("nan"), float("nan")
    names, of_group = np.unique(np.asarray(groups), return_inverse=True)
    labels, column = np.unique(targets, return_inverse=True)
    sums, sizes = np.zeros((2, len(names), len(labels)))
    np.add.at(sums, (of_group, column), values)
    np.add.at(sizes, (of_group, column), 1.0)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(len(names), np.full(len(names), 1.0 / len(names)), RESAMPLES).astype(float)
    with np.errstate(invalid="ignore"):
        means = np.nanmean((drawn @ sums) / (drawn @ sizes), axis=1)
    low, high = np.percentile(means, INTERVAL)
    return float(low), float(high)
