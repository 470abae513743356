"""The pictures of an evaluation: confusion matrix, training curves; and of tuning: flips against delay."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.checkpoint import RunState
from training.compare import front

mpl.use("Agg")  # no display is needed, nor looked for


def plot_confusion(counts: NDArray[np.int64], labels: Sequence[str], title: str, path: Path) -> None:
    """Draw a confusion matrix: colour is the share of the row, the number is of clips."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    n = len(labels)
    figure = Figure(figsize=(2.5 + 0.55 * n, 2.2 + 0.5 * n), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.55 else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(n), labels, rotation=45, ha="right", rotation_mode="anchor")
    totals = counts.sum(axis=1)
    axes.set_yticks(range(n), [f"{label} ({total})" for label, total in zip(labels, totals, strict=True)])
    axes.set_xlabel("said")
    axes.set_ylabel("label (clips)")
    axes.set_title(title, fontsize=11)
    figure.colorbar(image, ax=axes, label="share of the label's clips", shrink=0.8)
    figure.savefig(path, dpi=110)


def plot_curves(runs: Sequence[RunState], path: Path) -> None:
    """Draw the loss and the accuracy of each run over its steps."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for at, run in enumerate(runs):
        colour = f"C{at % 10}"
        steps = [point.step for point in run.curves]
        name = "all data" if run.fold is None else f"fold {run.fold}, split {run.split_seed}"
        loss.plot(steps, [point.loss for point in run.curves], color=colour, ls=":", lw=1)
        accuracy.plot(steps, [point.accuracy for point in run.curves], color=colour, ls=":", lw=1)
        watched = [point for point in run.curves if point.held_out_nll is not None]
        at_steps = [point.step for point in watched]
        loss.plot(at_steps, [point.held_out_nll for point in watched], color=colour, label=name)
        accuracy.plot(at_steps, [point.held_out_accuracy for point in watched], color=colour)
    loss.set_ylabel("cross-entropy")
    accuracy.set_ylabel("accuracy of windows, all labels")
    for axes in (loss, accuracy):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    loss.legend(fontsize=8, title="held out (dotted: training, as augmented and mixed)", title_fontsize=8)
    figure.savefig(path, dpi=110)


def plot_tradeoff(comparison: dict[str, Any], reported: dict[str, Any], path: Path) -> None:
    """Draw false flips a minute against the median time to correct, of each smoothing as it is swept."""
    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for at, (name, points) in enumerate(comparison["points"].items()):
        shown = [point for point in points if point["delay_s"] is not None]
        colour, style = f"C{(at + 1) // 2}", "--" if "lead" in name else "-"
        axes.scatter(
            [p["delay_s"] for p in shown], [p["flips"] for p in shown], color=colour, s=10, alpha=0.35
        )
        line = front(points)
        axes.plot([d for d, _ in line], [f for _, f in line], color=colour, ls=style, label=name)
    delay_s = reported["time_to_correct_s"]["recognisable music"]["p50"]
    if delay_s is not None:
        axes.scatter(
            [delay_s], [reported["false_flips_per_minute"]], marker="*", s=160, color="black", zorder=3,
            label="as fitted, on other folds",
        )  # fmt: skip
    axes.axhline(0.3, color="grey", lw=0.8, ls=":")
    axes.axvline(6.0, color="grey", lw=0.8, ls=":")
    axes.set_xlim(0, 25)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("median time to correct after a boundary in s (recognisable music)")
    axes.set_ylabel("false flips a minute of music")
    axes.legend(fontsize=9)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
