"""Figures from predictions: accuracy, recall, F1, calibration, and intervals over groups."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
RESAMPLES = 2000
INTERVAL = (2.5, 97.5)  # per cent


def confusion(targets: Ints, answers: Ints, n_labels: int) -> Ints:
    """Give (n_labels, n_labels) counts: rows are what it was, columns what was said."""
    counts = np.zeros((n_labels, n_labels), np.int64)
    np.add.at(counts, (targets, answers), 1)
    return counts


def recall(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give (n_labels,) shares of each label that were found; NaN where a label does not occur."""
    total = counts.sum(axis=1)
    return np.where(total > 0, np.diag(counts) / np.maximum(total, 1), np.nan)


def f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Give (n_labels,) harmonic means of precision and recall; NaN where a label does not occur."""
    occurs, said = counts.sum(axis=1), counts.sum(axis=0)
    return np.where(occurs > 0, 2 * np.diag(counts) / np.maximum(occurs + said, 1), np.nan)


def calibration_error(
    probabilities: NDArray[np.float64], targets: Ints, weights: NDArray[np.float64], bins: int = 15
) -> float:
    """Give the expected calibration error of the most probable label (Naeini et al. 2015), weighted."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == targets
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights * (confidence - right), minlength=bins)
    return float(np.abs(gaps).sum() / weights.sum())


def interval_over_groups(
    hits: NDArray[np.float64], groups: Sequence[str], *, seed: int = 0
) -> tuple[float, float]:
    """Give the 95% interval of a mean by bootstrap: whole groups are drawn, since their clips are alike."""
    names, of_group = np.unique(np.asarray(groups), return_inverse=True)
    sums = np.bincount(of_group, hits, minlength=len(names))
    sizes = np.bincount(of_group, minlength=len(names))
    drawn = np.random.default_rng(seed).integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, INTERVAL)
    return float(low), float(high)
