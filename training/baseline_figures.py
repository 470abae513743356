"""What the answers of a baseline are worth, as figures and as a printed table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.classifiers import Fitted
from training.metrics import confusion, f1, interval_over_groups, recall
from training.store import Entry

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a classifier that was fitted without a fold says of it.

    Attributes:
        split_seed: of the folds.
        test: (n,) indices of the fold's clips.
        said: (n,) labels.
        train_accuracy: on the clips that taught it, over the genres.
        fitted: the classifier.
    """

    split_seed: int
    test: Ints
    said: Ints
    train_accuracy: float
    fitted: Fitted


def figures_of(
    parts: Sequence[Asked], clips: Sequence[Entry], labels: list[str], music: NDArray[np.bool_]
) -> dict[str, Any]:
    """Give what `baselines.json` holds of one model, over the genres; figures of seeds are averaged."""
    targets = np.array([labels.index(clip.label) for clip in clips])
    test, said = np.concatenate([p.test for p in parts]), np.concatenate([p.said for p in parts])
    of_seed = np.concatenate([np.full(len(p.test), p.split_seed) for p in parts])
    genre = music[targets[test]]
    hits = (said == targets[test]).astype(float)
    low, high = interval_over_groups(hits[genre], [clips[i].group for i in test[genre]])
    seeds = sorted({p.split_seed for p in parts})
    counts = {s: confusion(targets[test[of_seed == s]], said[of_seed == s], len(labels)) for s in seeds}
    balanced = {str(s): float(np.nanmean(recall(counts[s])[music])) for s in seeds}
    together = np.sum(list(counts.values()), axis=0)
    return {
        "accuracy": {"value": float(hits[genre].mean()), "low": low, "high": high},
        "accuracy_by_split_seed": {str(s): float(hits[genre & (of_seed == s)].mean()) for s in seeds},
        "balanced_accuracy": float(np.mean(list(balanced.values()))),
        "balanced_accuracy_by_split_seed": balanced,
        "macro_f1": float(np.mean([np.nanmean(f1(counts[s])[music]) for s in seeds])),
        "train_accuracy": float(np.mean([p.train_accuracy for p in parts])),
        "recall": dict(zip(labels, recall(together).tolist(), strict=True)),
        "confusion": together.tolist(),
        "chosen": [{"split_seed": p.split_seed} | p.fitted.chosen for p in parts if p.fitted.chosen],
        "search_s": float(np.mean([p.fitted.search_s for p in parts])),
        "fit_s": float(np.mean([p.fitted.fit_s for p in parts])),
    }


def tell(figures: dict[str, Any], out: Path) -> None:
    """Print the table."""
    genres = len(figures["labels"]) - len(figures["not_music"])
    seeds = figures["split_seeds"]
    print(
        f"clips of {genres} genres, {figures['folds']} group-disjoint folds, "
        f"split seeds {', '.join(map(str, seeds))}"
    )
    print(
        f"{'':10}{'accuracy (95% over groups)':>28}{'balanced':>10}{'macro-F1':>10}"
        f"{'on training':>13}{'search s':>10}{'fit s':>7}"
    )
    for name, model in figures["models"].items():
        accuracy = model["accuracy"]
        interval = f"{accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})"
        print(
            f"{name:10}{interval:>28}{model['balanced_accuracy']:>10.3f}{model['macro_f1']:>10.3f}"
            f"{model['train_accuracy']:>13.3f}{model['search_s']:>10.1f}{model['fit_s']:>7.1f}"
        )
        if len(seeds) > 1:
            for what in ("accuracy", "balanced_accuracy"):
                shown = ", ".join(f"{s}: {v:.3f}" for s, v in model[f"{what}_by_split_seed"].items())
                print(f"{'':10}  {what.replace('_', ' ')} by split seed {shown}")
    print(f"files in {out}")
