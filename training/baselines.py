"""Classical classifiers on the network's own folds and log-mel windows, and the teacher with a linear head.

A clip is one row: the features of its windows, which are those that the network is asked about,
averaged, as the network's answers are. (One row a window makes the same forest and logistic
regression dearer and no better; this also lets a long clip count once, as it does in the figures.)
The answer is always among all labels, so music called speech is wrong.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from training.baseline_plots import plot_importance, plot_train_test
from training.classifiers import INNER_FOLDS, KINDS, Fitted, fit_kind
from training.console import out as console
from training.errors import DataError
from training.features import Feature, features
from training.importance import Importances
from training.metrics import confusion, f1, interval_over_groups, recall
from training.soft_labels import SoftLabels
from training.splits import make_split
from training.store import PreparedSet, replace

Ints = NDArray[np.int64]
Rows = NDArray[np.float64]
WINDOW_HOP_S = 3.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What a classifier that was fitted without a fold says of it: `test` indices of clips, `said` labels."""

    split_seed: int
    test: Ints
    said: Ints
    train_accuracy: float
    fitted: Fitted


def baseline(
    data: Path,
    out: Path,
    *,
    models: Sequence[str],
    not_music: Sequence[str],
    soft_labels: SoftLabels | None = None,
    folds: int = 5,
    split_seeds: Sequence[int] = (1,),
    jobs: int = 1,
) -> dict[str, Any]:
    """Fit and ask classifiers on every fold; write `baselines.json` and pictures; print a table.

    Args:
        data: the prepared set.
        out: folder for the files.
        models: names in `training.classifiers.KINDS`.
        not_music: labels that are no genre.
        soft_labels: of the teacher; needed by `teacher` alone.
        folds: folds of the whole set, the same as those of `fit --fold`.
        split_seeds: of the folds; figures are means over them.
        jobs: processes of the search.

    Raises:
        DataError: the teacher says nothing of a clip, or it is not there.
        SplitError: there are too few groups.
    """
    prepared = PreparedSet(data)
    columns: list[Feature] = []
    rows: dict[str, Rows] = {}
    if "teacher" in models:
        rows["teacher"] = _teacher_rows(prepared, soft_labels)
    if set(models) - {"teacher"}:
        columns, own = clip_features(prepared)
        rows |= {name: own for name in models if name != "teacher"}
    music = np.array([label not in not_music for label in prepared.labels])
    importances = Importances(columns)
    asked: dict[str, list[Asked]] = {name: [] for name in KINDS if name in models}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(models) * len(split_seeds) * folds)
        for name in asked:
            for seed in split_seeds:
                for fold in range(folds):
                    progress.update(task, description=f"{name}, split {seed}, fold {fold}")
                    watch = importances if name == "forest" else None
                    asked[name].append(_ask(name, prepared, rows[name], music, folds, fold, seed, jobs, watch))
                    progress.advance(task)
    figures = {
        "labels": prepared.labels,
        "not_music": [label for label in prepared.labels if label in not_music],
        "folds": folds,
        "split_seeds": list(split_seeds),
        "clips": len(prepared.clips),
        "features": dict(Counter(column.family for column in columns)),
        "search": f"every combination, on {INNER_FOLDS} inner group-disjoint folds, for balanced accuracy",
        "models": {name: _figures(name, parts, prepared, music) for name, parts in asked.items()},
        "importance": importances.figures(),
    }
    _write(figures, out)
    _tell(figures, out)
    return figures


def clip_features(prepared: PreparedSet) -> tuple[list[Feature], Rows]:
    """Give the k columns' names and (n, k) means over the windows of each of the set's n clips."""
    hop = max(1, round(WINDOW_HOP_S / prepared.front_end.frame_s))
    columns: list[Feature] = []
    rows = []
    for clip in prepared.clips:
        columns, values = features(prepared.windows(clip, hop), prepared.front_end)
        rows.append(values.mean(axis=0))
    return columns, np.array(rows)


def _teacher_rows(prepared: PreparedSet, labels: SoftLabels | None) -> Rows:
    """Give (n, tags + embedding) means over the teacher's windows of each clip."""
    if labels is None:
        raise DataError(
            "'teacher' needs soft labels", remedy="give --labels FILE.npz, or leave it out of --models"
        )
    windows = np.concatenate((labels.tags, labels.embedding), axis=1).astype(np.float64)
    counts = np.bincount(labels.clip, minlength=len(labels.paths))
    sums = np.zeros((len(labels.paths), windows.shape[1]))
    np.add.at(sums, labels.clip, windows)
    at = {path: i for i, path in enumerate(labels.paths) if counts[i]}
    missing = [clip.id for clip in prepared.clips if clip.id not in at]
    if missing:
        raise DataError(
            f"the soft labels say nothing of {len(missing)} clips, '{missing[0]}' first",
            remedy="label the whole set anew with 'python -m training label'",
        )
    which = [at[clip.id] for clip in prepared.clips]
    return sums[which] / counts[which, None]


def _ask(
    name: str,
    prepared: PreparedSet,
    rows: Rows,
    music: NDArray[np.bool_],
    folds: int,
    fold: int,
    seed: int,
    jobs: int,
    importances: Importances | None,
) -> Asked:
    """Fit one classifier without one fold and ask it about that fold."""
    clips = prepared.clips
    split = make_split(clips, folds=folds, fold=fold, seed=seed)
    train, test = np.array(split.train), np.array(split.test)
    targets = np.array([prepared.labels.index(clip.label) for clip in clips])
    if name == "majority":  # of all labels it would be speech, which says nothing about genres
        train = train[music[targets[train]]]
    fitted = fit_kind(
        KINDS[name], rows[train], targets[train], [clips[i] for i in train], seed=seed, jobs=jobs
    )
    if importances is not None:
        importances.add(fitted.classifier, rows[test], targets[test], seed=fold)
    genres = train[music[targets[train]]]
    right = fitted.classifier.predict(rows[genres]) == targets[genres]
    return Asked(seed, test, fitted.classifier.predict(rows[test]), float(right.mean()), fitted)


def _figures(
    name: str, parts: Sequence[Asked], prepared: PreparedSet, music: NDArray[np.bool_]
) -> dict[str, Any]:
    """Give what `baselines.json` holds of one model."""
    labels = prepared.labels
    targets = np.array([labels.index(clip.label) for clip in prepared.clips])
    test, said = np.concatenate([p.test for p in parts]), np.concatenate([p.said for p in parts])
    of_seed = np.concatenate([np.full(len(p.test), p.split_seed) for p in parts])
    genre = music[targets[test]]
    hits = (said == targets[test]).astype(float)
    groups = [prepared.clips[i].group for i in test[genre]]
    low, high = interval_over_groups(hits[genre], groups)
    seeds = sorted({p.split_seed for p in parts})
    counts = {s: confusion(targets[test[of_seed == s]], said[of_seed == s], len(labels)) for s in seeds}
    balanced = {str(s): float(np.nanmean(recall(counts[s])[music])) for s in seeds}
    together = sum(counts.values(), np.zeros((len(labels), len(labels)), np.int64))
    return {
        "what": KINDS[name].what,
        "accuracy": {"value": float(hits[genre].mean()), "low": low, "high": high},
        "accuracy_by_split_seed": {str(s): float(hits[genre & (of_seed == s)].mean()) for s in seeds},
        "balanced_accuracy": float(np.mean(list(balanced.values()))),
        "balanced_accuracy_by_split_seed": balanced,
        "macro_f1": float(np.mean([np.nanmean(f1(counts[s])[music]) for s in seeds])),
        "train_accuracy": float(np.mean([p.train_accuracy for p in parts])),
        "recall": dict(zip(labels, recall(together).tolist(), strict=True)),
        "confusion": together.tolist(),
        "searched": KINDS[name].grid,
        "chosen": [{"split_seed": p.split_seed} | p.fitted.chosen for p in parts if p.fitted.chosen],
        "search_s": float(np.mean([p.fitted.search_s for p in parts])),
        "fit_s": float(np.mean([p.fitted.fit_s for p in parts])),
    }


def _write(figures: dict[str, Any], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(figures), indent=1)
    replace(out / "baselines.json", lambda file: file.write(text))
    plot_train_test(figures, out / "train-test.png")
    if figures["importance"]:
        plot_importance(figures["importance"], out / "importance.png")


def _tell(figures: dict[str, Any], out: Path) -> None:
    genres = len(figures["labels"]) - len(figures["not_music"])
    seeds = ", ".join(map(str, figures["split_seeds"]))
    print(f"clips of {genres} genres, {figures['folds']} group-disjoint folds, split seeds {seeds}")
    print(f"{'':10}{'accuracy (95% over groups)':>28}{'balanced':>10}{'macro-F1':>10}", end="")
    print(f"{'on training':>13}{'search s':>10}{'fit s':>7}")
    for name, model in figures["models"].items():
        accuracy = model["accuracy"]
        interval = f"{accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})"
        print(f"{name:10}{interval:>28}{model['balanced_accuracy']:>10.3f}{model['macro_f1']:>10.3f}", end="")
        print(f"{model['train_accuracy']:>13.3f}{model['search_s']:>10.1f}{model['fit_s']:>7.1f}")
        if len(figures["split_seeds"]) > 1:
            shown = ", ".join(f"{s}: {v:.3f}" for s, v in model["accuracy_by_split_seed"].items())
            print(f"{'':10}  accuracy by split seed {shown}")
    print(f"files in {out}")
