"""Answers in, figures out: all that `evaluation.json` says of the honest folds, or of the leaky ones.

A clip that several split seeds asked about is one clip: its hits are averaged over the seeds, and
then whole groups are drawn for the intervals.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.ask import Answers, Judged, fitted_on, judge, temperature, temperatures_of
from training.splits import describe
from training.windows import calibration_figures, gate_figures, risk_figures, segment_figures

Floats = NDArray[np.float64]


def figures_of(answers: Sequence[Answers]) -> dict[str, Any]:
    """Give the figures of runs of one recipe, one a fold (and split seed).

    `temperature` and `accuracy` {value, low, high, of} are what a model file takes over.
    """
    state = answers[0].state
    temperatures = temperatures_of(answers)
    judged = judge(answers, temperatures)
    seeds = sorted({answer.state.split_seed for answer in answers})
    folds = sorted({answer.state.fold for answer in answers if answer.state.fold is not None})
    counts = metrics.confusion(judged.targets, judged.probabilities.argmax(axis=1), len(judged.labels))
    scope = describe(state.split, folds, state.folds)
    if len(seeds) > 1:
        scope += f", mean of {len(seeds)} seeds"
    of = f"clips of {judged.music.sum()} genres, {scope}"
    genre = judged.music[judged.targets]
    return {
        "recipe": state.recipe.name,
        "commit": state.commit,
        "seeds": sorted({answer.state.seed for answer in answers}),
        "split": state.split,
        "leaky": state.leaky,
        "split_seeds": seeds,
        "folds": folds,
        "of_folds": state.folds,
        "labels": judged.labels,
        "not_music": [label for label, m in zip(judged.labels, judged.music, strict=True) if not m],
        "clips": len({clip.id for clip in judged.clips}),
        "groups": len({clip.group for clip in judged.clips}),
        "temperature": temperature(answers) if folds else float(np.mean(temperatures)),
        "temperatures_by_run": temperatures,
        "temperatures_fitted_on": fitted_on(answers),
        **_clip_figures(judged, genre, of),
        "by_split_seed": {str(seed): _seed_figures(judged, seed) for seed in seeds},
        "all_labels": _clip_figures(judged, np.ones(len(genre), bool), f"clips of all labels, {scope}"),
        "segments": segment_figures(judged, f"windows of {judged.music.sum()} genres, {scope}"),
        "by_label": _by_label(judged, counts),
        "confusion": counts.tolist(),
        "calibration": calibration_figures(judged),
        "risk": risk_figures(judged),
        "gates": gate_figures(judged, state.recipe),
        "curves": [_curve(answer) for answer in answers],
    }


def by_clip(
    judged: Judged, values: Floats, rows: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.int64], list[str]]:
    """Average values of these rows over the split seeds: give each clip's mean, target and group."""
    chosen = np.flatnonzero(rows)
    _, first, of_clip = np.unique(
        [judged.clips[i].id for i in chosen], return_index=True, return_inverse=True
    )
    means = np.bincount(of_clip, values[chosen]) / np.bincount(of_clip)
    firsts = chosen[first]
    return means, judged.targets[firsts], [judged.clips[i].group for i in firsts]


def _clip_figures(judged: Judged, rows: NDArray[np.bool_], of: str) -> dict[str, Any]:
    """Give accuracy, balanced accuracy and macro-F1 of the clips of some labels; answers are among all."""
    hits, targets, groups = by_clip(judged, judged.hits, rows)
    low, high = metrics.interval_over_groups(hits, groups)
    balanced_low, balanced_high = metrics.balanced_interval(hits, targets, groups)
    balanced = float(np.mean([hits[targets == target].mean() for target in np.unique(targets)]))
    of_seeds = [_macro_f1(judged, rows, seed) for seed in np.unique(judged.seeds)]
    return {
        "accuracy": {"value": float(hits.mean()), "low": low, "high": high, "of": of},
        "balanced_accuracy": balanced,
        "balanced_accuracy_interval": {"low": balanced_low, "high": balanced_high},
        "macro_f1": float(np.mean(of_seeds)),
    }


def _macro_f1(judged: Judged, rows: NDArray[np.bool_], seed: int) -> float:
    """Give the mean F1 of the rows' labels in one split; false calls of other labels count too."""
    own = judged.seeds == seed
    said = judged.probabilities.argmax(axis=1)
    counts = metrics.confusion(judged.targets[own], said[own], len(judged.labels))
    return float(np.mean(metrics.f1(counts)[np.unique(judged.targets[own & rows])]))


def _seed_figures(judged: Judged, seed: int) -> dict[str, float]:
    rows = (judged.seeds == seed) & judged.music[judged.targets]
    hits, targets = judged.hits[rows], judged.targets[rows]
    return {
        "accuracy": float(hits.mean()),
        "balanced_accuracy": float(
            np.mean([hits[targets == target].mean() for target in np.unique(targets)])
        ),
        "macro_f1": _macro_f1(judged, rows, seed),
    }


def _by_label(judged: Judged, counts: NDArray[np.int64]) -> dict[str, dict[str, Any]]:
    """Give each label's clips, groups, precision, recall, F1, and what it is taken for, in clips a seed."""
    seeds = len(np.unique(judged.seeds))
    clips = {clip.id: clip for clip in judged.clips}.values()
    sizes = Counter(clip.label for clip in clips)
    groups = Counter(label for label, _ in {(clip.label, clip.group) for clip in clips})
    precision, recall, f1 = metrics.precision(counts), metrics.recall(counts), metrics.f1(counts)
    found = {}
    for at, label in enumerate(judged.labels):
        others = sorted(((n, other) for other, n in enumerate(counts[at]) if n and other != at), reverse=True)
        found[label] = {
            "clips": sizes[label],
            "groups": groups[label],
            "precision": float(precision[at]),
            "recall": float(recall[at]),
            "f1": float(f1[at]),
            "taken_for": [
                {"label": judged.labels[other], "clips": float(n / seeds)} for n, other in others[:3]
            ],
        }
    return found


def _curve(answer: Answers) -> dict[str, Any]:
    state = answer.state
    points = [
        {
            "step": point.step,
            "loss": point.loss,
            "accuracy": point.accuracy,
            "held_out_nll": point.held_out_nll,
            "held_out_accuracy": point.held_out_accuracy,
        }
        for point in state.curves
    ]
    watched = "dev part" if state.dev else "held-out fold"
    return {"fold": state.fold, "split_seed": state.split_seed, "watched": watched, "points": points}
