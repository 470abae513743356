"""The pictures of an explanation: a window with what drove the answer, and the first layer's kernels."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.signal.mel import mel_edges

TICKS_HZ = (200, 500, 1000, 2000, 4000, 7000)
CURVES = 5  # labels that are drawn over time
DB_SHOWN = 70.0
DB_PER_NEPER = 10.0 / math.log(10.0)


def plot_explanation(
    figures: dict[str, Any],
    front_end: FrontEnd,
    window: NDArray[np.float32],
    maps: dict[str, NDArray[np.float64]],
    path: Path,
) -> None:
    """Draw the answers over time, the window's spectrogram and one map of what drove the answer each.

    Args:
        figures: as `explain` gives them.
        front_end: of the window.
        window: (n_frames, n_mels) log-mel frames.
        maps: (n_frames, n_mels) each, smoothed, positive where it speaks for the answer.
        path: the PNG file.
    """
    figure = Figure(figsize=(9.5, 3.4 + 2.6 * (1 + len(maps))), layout="constrained")
    rows = figure.subplots(2 + len(maps), 1, height_ratios=[1.0, *[1.15] * (1 + len(maps))])
    _answers(rows[0], figures)
    below_db = DB_PER_NEPER * (window.T - window.max())
    image = _picture(rows[1], below_db, front_end, figures, cmap="magma", vmin=-DB_SHOWN, vmax=0)
    rows[1].set_title("what it heard: mel-spectrogram of the window", fontsize=10, loc="left")
    figure.colorbar(image, ax=rows[1], label="dB below the loudest", pad=0.01)
    for axes, (name, cells) in zip(rows[2:], maps.items(), strict=True):
        largest = float(np.percentile(np.abs(cells), 99.5)) or 1.0
        image = _picture(axes, cells.T, front_end, figures, cmap="RdBu_r", vmin=-largest, vmax=largest)
        axes.set_title(f"red speaks for {name}, blue against it", fontsize=10, loc="left")
        figure.colorbar(image, ax=axes, label="logit per cell, smoothed", pad=0.01)
        _box(axes, figures, front_end)
    rows[-1].set_xlabel("seconds into the clip")
    figure.suptitle(f"{figures['clip']}: {figures['answer']['label']} {figures['answer']['probability']:.2f}")
    figure.savefig(path, dpi=110)


def _answers(axes: Axes, figures: dict[str, Any]) -> None:
    """Draw the probabilities of the most probable labels, each point at its window's middle."""
    window = figures["window"]
    half = (window["end_s"] - window["start_s"]) / 2
    middle = [at["start_s"] + half for at in figures["over_time"]]
    curves = np.array([at["probabilities"] for at in figures["over_time"]])
    for label in np.argsort(-curves.mean(axis=0))[:CURVES]:
        axes.plot(middle, curves[:, label], marker=".", label=figures["labels"][label])
    axes.axvspan(window["start_s"], window["end_s"], color="#dddddd", zorder=0)
    axes.set_ylim(0, 1)
    axes.set_xlim(0, max(middle) + half)
    axes.set_ylabel("probability")
    axes.set_title("what it answered; grey: the window below", fontsize=10, loc="left")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def _picture(
    axes: Axes, cells: NDArray[np.floating], front_end: FrontEnd, figures: dict[str, Any], **style: Any
) -> Any:
    """Draw (n_mels, n_frames) cells over seconds and Hz."""
    window = figures["window"]
    extent = (window["start_s"], window["start_s"] + cells.shape[1] * front_end.frame_s, 0, len(cells))
    image = axes.imshow(cells, origin="lower", aspect="auto", extent=extent, interpolation="nearest", **style)
    hz = mel_edges(front_end)[1:-1]
    shown = [at for at in TICKS_HZ if hz[0] <= at <= hz[-1]]
    axes.set_yticks(np.interp(shown, hz, np.arange(len(hz)) + 0.5), [f"{at} Hz" for at in shown])
    return image


def _box(axes: Axes, figures: dict[str, Any], front_end: FrontEnd) -> None:
    """Frame the region that the sentence names."""
    region = figures["region"]
    edges = mel_edges(front_end)
    low, high = (int(np.abs(edges - region[key]).argmin()) for key in ("low_hz", "high_hz"))
    corner = (region["from_s"], low)
    size = (region["to_s"] - region["from_s"], high - 1 - low)
    axes.add_patch(Rectangle(corner, *size, fill=False, ec="black", lw=1.2, ls="--"))


def plot_filters(groups: list[NDArray[np.float32]], front_end: FrontEnd, path: Path) -> None:
    """Draw kernels as grids, one for each (n, frames, bands) group of one size.

    In a group, those that hear changes in time come first, those that hear steps in pitch last.
    """
    columns = 8
    rows = [math.ceil(len(kernels) / columns) for kernels in groups]
    figure = Figure(figsize=(1.15 * columns + 0.8, 1.3 * sum(rows) + 1.0), layout="constrained")
    figure.suptitle(
        "first those that hear changes in time (onsets), last those that hear steps in pitch (tones); "
        "red: louder here, blue: softer",
        fontsize=9,
    )
    parts = figure.subfigures(len(groups), 1, height_ratios=rows, squeeze=False)
    for part, kernels in zip(parts.flat, groups, strict=True):
        ms = 1000 * front_end.frame_s * kernels.shape[1]
        part.suptitle(
            f"{len(kernels)} kernels, {ms:.0f} ms wide, {kernels.shape[2]} mel bands high", fontsize=9
        )
        grid = part.subplots(math.ceil(len(kernels) / columns), columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, which in zip(grid.flat, _onsets_first(kernels), strict=False):
            largest = float(np.abs(kernels[which]).max()) or 1.0
            picture = kernels[which].T
            axes.imshow(picture, origin="lower", cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
            axes.set_axis_on()
            axes.set(xticks=[], yticks=[])
            axes.set_title(str(which), fontsize=7, pad=2)
        grid[-1, 0].set_xlabel("time", fontsize=8)
        grid[-1, 0].set_ylabel("pitch", fontsize=8)
    figure.savefig(path, dpi=110)


def _onsets_first(kernels: NDArray[np.float32]) -> NDArray[np.int64]:
    """Order kernels by the energy of their mean over bands less that of their mean over frames."""
    in_time = np.square(kernels.mean(axis=2)).mean(axis=1)
    in_pitch = np.square(kernels.mean(axis=1)).mean(axis=1)
    return np.argsort(-(in_time - in_pitch) / (in_time + in_pitch + 1e-12))
