"""The pictures of the baselines: training against test accuracy, and what the forest lives on."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SHOWN = 25  # single features


def plot_train_test(figures: dict[str, Any], path: Path) -> None:
    """Draw each model's accuracy on what taught it beside that on groups that it has not heard."""
    models = figures["models"]
    figure = Figure(figsize=(2.2 + 1.3 * len(models), 4.4), layout="constrained")
    axes = figure.add_subplot()
    at = np.arange(len(models))
    train = [model["train_accuracy"] for model in models.values()]
    test = [model["accuracy"]["value"] for model in models.values()]
    reach = [[m["accuracy"]["value"] - m["accuracy"]["low"] for m in models.values()]]
    reach.append([m["accuracy"]["high"] - m["accuracy"]["value"] for m in models.values()])
    axes.bar(at - 0.2, train, 0.38, color="#b9c7d8", label="clips that taught it")
    axes.bar(at + 0.2, test, 0.38, yerr=reach, capsize=3, color="#1f5a96", label="groups that it never heard")
    for x, value in zip(at - 0.2, train, strict=True):
        axes.text(x, value + 0.01, f"{value:.0%}", ha="center", fontsize=9)
    for x, value in zip(at + 0.2, test, strict=True):  # inside the bar: the interval stands on its top
        axes.text(x, 0.015, f"{value:.0%}", ha="center", fontsize=9, color="white")
    axes.set_xticks(at, list(models))
    axes.set_ylim(0, 1.08)
    axes.set_ylabel("accuracy of clips over the genres")
    axes.set_title(f"{figures['folds']} group-disjoint folds; whiskers: 95% over groups", fontsize=10)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.09), ncols=2, frameon=False, fontsize=9)
    _plain(axes)
    figure.savefig(path, dpi=110)


def plot_importance(importance: dict[str, Any], path: Path) -> None:
    """Draw families by what their shuffling costs, and the first single features by impurity."""
    figure = Figure(figsize=(12, 6.2), layout="constrained")
    families, single = figure.subplots(1, 2)
    _bars(families, importance["families"], "#1f5a96")
    families.set_xlabel("balanced accuracy lost when the family is shuffled (held-out folds)")
    families.set_title("families of features, by permutation", fontsize=11)
    _bars(single, importance["features"][:SHOWN], "#6b8f3c")
    single.set_xlabel("mean decrease of impurity (training part)")
    single.set_title(f"the first {SHOWN} of {len(importance['features'])} features, by impurity", fontsize=11)
    figure.suptitle("What the random forest lives on (mean and deviation over folds)", fontsize=12)
    figure.savefig(path, dpi=110)


def _bars(axes: Axes, ranked: list[dict[str, Any]], colour: str) -> None:
    at = np.arange(len(ranked))
    means, deviations = [r["mean"] for r in ranked], [r["deviation"] for r in ranked]
    axes.barh(at, means, xerr=deviations, color=colour, error_kw={"lw": 1, "ecolor": "#555555"})
    axes.set_yticks(at, [r["name"] for r in ranked], fontsize=9)
    axes.invert_yaxis()
    axes.axvline(0, color="#555555", lw=0.8)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
