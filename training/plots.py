"""The pictures of an evaluation, each a matplotlib figure on white; `as_image` makes it part of a page."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.compare import front

mpl.use("Agg")  # no display is needed, nor looked for
mpl.rcParams.update(
    {
        "text.parse_math": False,  # a label may hold a dollar sign
        "svg.hashsalt": "genrecast",  # the same figure gives the same bytes
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.alpha": 0.3,
    }
)
MAIN, SECOND, GREY = "#1f5fa8", "#c4541a", "#777777"


def as_image(figure: Figure) -> str:
    """Give a figure as a data URI, for the `src` of an image: nothing inside it can act."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()


def confusion_plot(counts: Sequence[Sequence[int]], labels: Sequence[str], clips: Sequence[int]) -> Figure:
    """Draw a confusion matrix in per cent of each row."""
    matrix = np.asarray(counts)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    n = len(labels)
    figure = Figure(figsize=(2.6 + 0.5 * n, 2.0 + 0.45 * n), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(visible=False)
    image = axes.imshow(100 * shares, cmap="Blues", vmin=0, vmax=100)
    for row, column in zip(*np.nonzero(matrix), strict=True):
        colour = "white" if shares[row, column] > 0.55 else "black"
        text = f"{100 * shares[row, column]:.0f}" if shares[row, column] >= 0.005 else "<1"
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(n), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n), [f"{label} ({size})" for label, size in zip(labels, clips, strict=True)])
    axes.set_xlabel("said")
    axes.set_ylabel("label (clips)")
    figure.colorbar(image, ax=axes, label="% of the label's clips", shrink=0.8)
    return figure


def curves_plot(curves: Sequence[dict[str, Any]]) -> Figure:
    """Draw the loss and the accuracy of each run over its steps, dotted as it trained, solid as watched."""
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    for at, curve in enumerate(curves):
        colour, points = f"C{at % 10}", curve["points"]
        steps = [p["step"] for p in points]
        fold = "" if curve["fold"] is None else f"fold {curve['fold']}, "
        loss.plot(steps, [p["loss"] for p in points], color=colour, ls=":", lw=1)
        accuracy.plot(steps, [p["accuracy"] for p in points], color=colour, ls=":", lw=1)
        watched = [p for p in points if p["held_out_nll"] is not None]
        at_steps = [p["step"] for p in watched]
        name = f"{fold}split {curve['split_seed']}"
        loss.plot(at_steps, [p["held_out_nll"] for p in watched], color=colour, label=name)
        accuracy.plot(at_steps, [p["held_out_accuracy"] for p in watched], color=colour)
    loss.set_ylabel("cross-entropy")
    accuracy.set_ylabel("accuracy of windows, all labels")
    for axes in (loss, accuracy):
        axes.set_xlabel("step")
    columns = 1 + len(curves) // 6
    loss.legend(fontsize=8, ncols=columns, title="solid: held out; dotted: training", title_fontsize=8)
    return figure


def reliability_plot(calibration: dict[str, Any]) -> Figure:
    """Draw how often windows and clips are right against how sure they are; below: where the windows lie."""
    figure = Figure(figsize=(10, 5), layout="constrained")
    grid = figure.subplots(2, 2, sharex=True, height_ratios=(4, 1))
    windows, clips = calibration["windows"], calibration["clips"]
    _reliability(grid[:, 0], windows["bins"], windows["bins_before"], "windows", windows["ece"])
    _reliability(grid[:, 1], clips["bins"], [], "clips", clips["ece"])
    return figure


def _reliability(
    pair: Sequence[Axes], bins: list[dict[str, float]], before: list[dict[str, float]], what: str, ece: float
) -> None:
    upper, lower = pair
    upper.plot([0, 1], [0, 1], color=GREY, ls="--", lw=1, label="as it should be")
    if before:
        at = [b["confidence"] for b in before]
        upper.plot(at, [b["right"] for b in before], "o:", ms=4, color=SECOND, label="before the temperature")
    at = [b["confidence"] for b in bins]
    name = "after the temperature" if before else "mean over a clip's windows"
    upper.plot(at, [b["right"] for b in bins], "o-", ms=5, color=MAIN, label=name)
    upper.set(ylabel="share that is right", ylim=(0, 1), xlim=(0, 1), title=f"{what}: ECE {ece:.3f}")
    upper.legend(fontsize=8)
    lower.bar(at, [100 * b["share"] for b in bins], width=0.05, color=MAIN)
    lower.set(xlabel="probability of what is said", ylabel=f"% of {what}")


def risk_plot(risk: dict[str, Any]) -> Figure:
    """Draw the share that is wrong against the share that is answered."""
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for what, colour in (("clips", MAIN), ("windows", SECOND)):
        found = risk[what]
        covered = found["coverage_at_precision"]
        name = f"{what}: area {found['area']:.3f}, {covered:.0%} answered at {found['precision']:.0%} right"
        axes.plot(found["coverage"], found["risk"], color=colour, label=name)
        if covered:
            axes.plot(covered, 1 - found["precision"], "o", color=colour)
    axes.axhline(1 - risk["clips"]["precision"], color=GREY, ls="--", lw=1)
    axes.set(
        xlabel="share of the music that is answered, surest first", ylabel="share of that which is wrong"
    )
    axes.set(xlim=(0, 1), ylim=(0, None))
    axes.legend(fontsize=9)
    return figure


def robustness_plot(conditions: Sequence[dict[str, Any]]) -> Figure:
    """Draw each condition's difference from clean, with its interval, in points."""
    shown = [c for c in conditions if c["name"] != "clean"]
    figure = Figure(figsize=(8, 1.3 + 0.3 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for at, condition in enumerate(shown):
        d = condition["difference"]
        colour = SECOND if d["high"] < 0 else MAIN
        axes.plot([100 * d["low"], 100 * d["high"]], [at, at], color=colour, lw=2)
        axes.plot(100 * d["value"], at, "o", color=colour)
    axes.axvline(0, color=GREY, lw=1)
    axes.set_yticks(range(len(shown)), [c["name"] for c in shown])
    axes.invert_yaxis()
    axes.set_xlabel("clip accuracy against the same clips unchanged, in points (95% over groups)")
    return figure


def baselines_plot(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draw each model's accuracy with its interval; hollow: on what it was trained on."""
    figure = Figure(figsize=(8, 1.3 + 0.4 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for at, row in enumerate(rows):
        colour = SECOND if row["own"] else MAIN
        if row["low"] is not None and row["high"] is not None:
            axes.plot([row["low"], row["high"]], [at, at], color=colour, lw=2)
        if row["accuracy"] is not None:
            axes.plot(row["accuracy"], at, "o", color=colour)
        if row["train_accuracy"] is not None:
            axes.plot(row["train_accuracy"], at, "o", mfc="none", color=colour)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.02), xlabel="clip accuracy (95% over groups); hollow: on the training part")
    return figure


def tradeoff_plot(comparison: dict[str, Any], reported: dict[str, Any]) -> Figure:
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
    return figure
