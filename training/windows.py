"""Figures of single windows, and of how far a confidence can be trusted: what the streamer acts on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.decide.state import Answer, Labels
from training import metrics
from training.ask import Judged, even
from training.recipe import Recipe

PRECISION = 0.8  # at which coverage is told
CURVE_POINTS = 200  # of a risk-coverage curve in the JSON and in the picture


def segment_figures(judged: Judged, of: str) -> dict[str, Any]:
    """Give the accuracy of windows, by themselves, among all labels."""
    hits = (judged.windows.argmax(axis=1) == judged.window_targets).astype(float)
    genre = judged.music[judged.window_targets]
    groups = [judged.clips[i].group for i in judged.window_clip[genre]]
    low, high = metrics.interval_over_groups(hits[genre], groups)
    targets = judged.window_targets[genre]
    return {
        "windows": len(hits),
        "accuracy": float(hits[genre].mean()),
        "accuracy_interval": {"low": low, "high": high, "of": of},
        "balanced_accuracy": float(np.mean([hits[genre][targets == t].mean() for t in np.unique(targets)])),
        "accuracy_all_labels": float(hits.mean()),
    }


def calibration_figures(judged: Judged) -> dict[str, Any]:
    """Give the reliability of windows and clips, all labels, by the most probable one.

    `ece` lets every label weigh the same, as the temperature does; `ece_as_counted` every window.
    """
    targets = judged.window_targets
    balanced, alike = even(targets), np.ones(len(targets))
    of_windows = {
        "ece": metrics.calibration_error(judged.windows, targets, balanced),
        "ece_as_counted": metrics.calibration_error(judged.windows, targets, alike),
        "ece_before": metrics.calibration_error(judged.raw, targets, balanced),
        "ece_before_as_counted": metrics.calibration_error(judged.raw, targets, alike),
        "bins": _bins(metrics.reliability(judged.windows, targets, balanced)),
        "bins_before": _bins(metrics.reliability(judged.raw, targets, balanced)),
    }
    balanced, alike = even(judged.targets), np.ones(len(judged.targets))
    of_clips = {
        "ece": metrics.calibration_error(judged.probabilities, judged.targets, balanced),
        "ece_as_counted": metrics.calibration_error(judged.probabilities, judged.targets, alike),
        "bins": _bins(metrics.reliability(judged.probabilities, judged.targets, balanced)),
    }
    return {"windows": of_windows, "clips": of_clips}


def _bins(found: metrics.Reliability) -> list[dict[str, float]]:
    share = found.weight / found.weight.sum()
    rows = zip(found.confidence.tolist(), found.right.tolist(), share.tolist(), strict=True)
    return [{"confidence": c, "right": r, "share": s} for c, r, s in rows if s > 0]


def risk_figures(judged: Judged) -> dict[str, Any]:
    """Give risk against coverage over the music: answered first is what is most probable, whatever it is."""
    genre = judged.music[judged.targets]
    window_genre = judged.music[judged.window_targets]
    return {
        "clips": _risk(judged.probabilities[genre], judged.targets[genre]),
        "windows": _risk(judged.windows[window_genre], judged.window_targets[window_genre]),
    }


def _risk(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> dict[str, Any]:
    found = metrics.risk_coverage(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets)
    shown = np.unique(np.linspace(0, len(found.risk) - 1, CURVE_POINTS).round().astype(int))
    return {
        "area": found.area,
        "precision": PRECISION,
        "coverage_at_precision": found.coverage_at(PRECISION),
        "coverage": found.coverage[shown].tolist(),
        "risk": found.risk[shown].tolist(),
    }


def gate_figures(judged: Judged, recipe: Recipe) -> dict[str, Any]:
    """Give what the streamer would say of single windows: its own rule, before any smoothing.

    Silence is not here: it is measured by level before the network is asked, and gets no genre.
    """
    said = answers(judged.windows, judged.labels, recipe)
    states = np.array([answer.state for answer in said])
    targets = judged.window_targets
    genre = judged.music[targets]
    right = np.array([a.genre == judged.labels[t] for a, t in zip(said, targets, strict=True)])
    music = states == "music"
    return {
        "unsure_below": recipe.decision.unsure_below,
        **{
            f"{label}_given_genre": _mean(music[targets == judged.labels.index(label)])
            for label in recipe.not_music
            if label in judged.labels
        },
        "music_called_not_music": _mean(np.isin(states, ("speech", "noise"))[genre]),
        "music_unsure": _mean((states == "unsure")[genre]),
        "music_given_genre": _mean(music[genre]),
        "right_where_given": _mean(right[genre & music]),
    }


def answers(probabilities: NDArray[np.float64], labels: list[str], recipe: Recipe) -> list[Answer]:
    """Give what the streamer's rule says of (n, labels) probabilities."""
    rule = Labels(recipe.draft_contract(labels))
    return [rule.answer(row) for row in probabilities.astype(np.float32)]


def _mean(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")
