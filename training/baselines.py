"""Classical classifiers on the network's own folds and log-mel windows, and the teacher with a linear head.

A clip is one row: the features of its windows, which are those that the network is asked about,
averaged, as the network's answers are. So a long clip counts once, as it does in the figures.
The answer is always among all labels: music called speech is wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from training.baseline_figures import Asked, figures_of, tell
from training.baseline_plots import plot_importance, plot_train_test
from training.classifiers import INNER_FOLDS, KINDS, fit_kind
from training.console import out as console
from training.errors import DataError
from training.features import Feature, features
from training.importance import Importances
from training.soft_labels import SoftLabels
from training.splits import make_split
from training.store import PreparedSet, write_json

Rows = NDArray[np.float64]
WINDOW_HOP_S = 3.0  # windows side by side


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What is asked for.

    Attributes:
        data: the prepared set.
        models: names in `training.classifiers.KINDS`; None: all that can be asked.
        not_music: labels that are no genre.
        soft_labels: of the teacher; needed by `teacher` alone.
        folds: folds of the whole set, the same as those of `fit --fold`.
        split_seeds: of the folds; figures are means over them.
        jobs: processes of the search.
    """

    data: Path
    models: Sequence[str] | None = None
    not_music: Sequence[str] = ()
    soft_labels: SoftLabels | None = None
    folds: int = 5
    split_seeds: Sequence[int] = (1,)
    jobs: int = 1


def baseline(inquiry: Inquiry, out: Path) -> dict[str, Any]:
    """Fit and ask classifiers on every fold; write `baselines.json` and pictures; print a table.

    Raises:
        DataError: a model is unknown; the teacher says nothing of a clip, or is not there.
        SplitError: there are too few groups.
    """
    models = _known(inquiry)
    prepared = PreparedSet(inquiry.data)
    taught = _teacher_rows(prepared, inquiry.soft_labels) if "teacher" in models else None
    columns, rows = clip_features(prepared) if set(models) - {"teacher"} else ([], taught)
    labels = prepared.labels
    music = np.array([label not in inquiry.not_music for label in labels])
    importances = Importances(columns)
    found: dict[str, Any] = {}
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=len(models) * len(inquiry.split_seeds) * inquiry.folds)
        for name in models:
            own = taught if name == "teacher" else rows
            asked = []
            for seed in inquiry.split_seeds:
                for fold in range(inquiry.folds):
                    progress.update(task, description=f"{name}, split {seed}, fold {fold}")
                    asked.append(_ask(name, inquiry, prepared, own, music, seed, fold, importances))
                    progress.advance(task)
            kind = KINDS[name]
            found[name] = {"what": kind.what, "searched": kind.grid} | figures_of(
                asked, prepared.clips, labels, music
            )
    figures = {
        "labels": labels,
        "not_music": [label for label in labels if label in inquiry.not_music],
        "folds": inquiry.folds,
        "split_seeds": list(inquiry.split_seeds),
        "clips": len(prepared.clips),
        "features": len(columns),
        "search": f"every combination, on {INNER_FOLDS} inner group-disjoint folds, for balanced accuracy",
        "models": found,
        "importance": importances.figures(),
    }
    _write(figures, out)
    tell(figures, out)
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


def _known(inquiry: Inquiry) -> list[str]:
    """Give the models to ask, in the order of the table."""
    with_teacher = inquiry.soft_labels is not None
    if inquiry.models is None:
        return [name for name in KINDS if name != "teacher" or with_teacher]
    for name in inquiry.models:
        if name not in KINDS:
            raise DataError(
                f"there is no baseline '{name}'", remedy=f"give --models some of {', '.join(KINDS)}"
            )
    return [name for name in KINDS if name in inquiry.models]


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
            remedy="bring soft labels of the whole set; see training/soft_labels.py",
        )
    which = [at[clip.id] for clip in prepared.clips]
    return sums[which] / counts[which, None]


def _ask(
    name: str,
    inquiry: Inquiry,
    prepared: PreparedSet,
    rows: Rows,
    music: NDArray[np.bool_],
    seed: int,
    fold: int,
    importances: Importances,
) -> Asked:
    """Fit one classifier without one fold and ask it about that fold."""
    clips = prepared.clips
    split = make_split(clips, folds=inquiry.folds, fold=fold, seed=seed)
    train, test = np.array(split.train), np.array(split.test)
    targets = np.array([prepared.labels.index(clip.label) for clip in clips])
    genres = train[music[targets[train]]]
    if name == "majority":  # of all labels it might be speech, which says nothing about genres
        train = genres
    taught = [clips[i] for i in train]
    fitted = fit_kind(KINDS[name], rows[train], targets[train], taught, seed=seed, jobs=inquiry.jobs)
    if name == "forest":
        importances.add(fitted.classifier, rows[test], targets[test], seed=fold)
    right = fitted.classifier.predict(rows[genres]) == targets[genres]
    return Asked(seed, test, fitted.classifier.predict(rows[test]), float(right.mean()), fitted)


def _write(figures: dict[str, Any], out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "baselines.json", figures)
    plot_train_test(figures, out / "train-test.png")
    if figures["importance"]:
        plot_importance(figures["importance"], out / "importance.png")
