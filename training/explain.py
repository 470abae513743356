"""Why a run answers what it answers about a clip: pictures, figures and a sentence.

clip -> log-mel frames -> windows -> probabilities over time; the window that is surest of the
clip's answer (or one that is asked for) -> what in it drove the answer -> `explain.png`,
`explain.json`; and the first layer's kernels -> `filters.png`.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.signal.mel import mel_edges
from training.attribution import Attribution, Region, attribute, smoothed, strongest
from training.audio import clip_frames
from training.errors import DataError
from training.explain_plots import plot_explanation, plot_filters
from training.fit import load_net
from training.nets import Net
from training.predict import softmax, window_logits
from training.store import windows_of, write_json

HOP_S = 0.5


@dataclass(frozen=True, slots=True)
class Hearing:
    """What a run says of a clip.

    Attributes:
        start_s: (n,) where the windows begin.
        windows: (n, n_frames, n_mels).
        probabilities: (n, labels).
    """

    start_s: NDArray[np.float64]
    windows: NDArray[np.float32]
    probabilities: NDArray[np.float64]


def explain(clip: Path, run: Path, out: Path, *, at_s: float | None = None) -> dict[str, Any]:
    """Explain a run's answer about a clip; write the files; print what drove it; give the figures.

    Args:
        clip: an audio file.
        run: folder of a run, or its checkpoint.
        out: folder for the files.
        at_s: explain the window that begins nearest to here, and its own answer; None: the surest one.

    Raises:
        SourceError: the clip can't be decoded.
        RunError: there is no such run.
        DataError: `at_s` is not inside the clip.
    """
    state, net = load_net(run)
    front_end, labels = state.recipe.front_end, state.labels
    heard = _hear(clip, front_end, net, state.temperature)
    mean = heard.probabilities.mean(axis=0)
    which = int(heard.probabilities[:, mean.argmax()].argmax())
    if at_s is not None:
        last = float(heard.start_s[-1]) + front_end.window_s
        if not 0.0 <= at_s <= last:
            raise DataError(f"{clip.name} has no second {at_s:g}", remedy=f"give --at 0 to {last:.1f}")
        which = int(np.abs(heard.start_s - at_s).argmin())
    window, start_s = heard.windows[which], float(heard.start_s[which])
    answer, second = np.argsort(-heard.probabilities[which])[:2]
    alone, against = (np.eye(len(labels), dtype=np.float32)[i] for i in (answer, second))
    maps = {
        labels[answer]: attribute(net, window, alone),
        f"{labels[answer]} rather than {labels[second]}": attribute(net, window, alone - against),
    }
    pictures = {name: smoothed(found.cells) for name, found in maps.items()}
    region = strongest(pictures[labels[answer]])
    figures = {
        "clip": clip.name,
        "run": str(run),
        "clip_answer": {"label": labels[mean.argmax()], "probability": float(mean.max())},
        "window": {"start_s": start_s, "end_s": start_s + front_end.window_s},
        "answer": {"label": labels[answer], "probability": float(heard.probabilities[which, answer])},
        "runner_up": {"label": labels[second], "probability": float(heard.probabilities[which, second])},
        "region": _region_figures(region, front_end, window.shape, start_s),
        "attributions": {name: _attribution_figures(found) for name, found in maps.items()},
        "labels": labels,
        "over_time": [
            {"start_s": float(start), "probabilities": p.tolist()}
            for start, p in zip(heard.start_s, heard.probabilities, strict=True)
        ],
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "explain.json", figures)
    plot_explanation(figures, front_end, window, pictures, out / "explain.png")
    draw_filters(run, out)
    print(in_words(figures))
    print(f"files in {out}")
    return figures


def draw_filters(run: Path, out: Path) -> None:
    """Draw the first layer's kernels of a run as `filters.png`.

    Raises:
        RunError: there is no such run.
    """
    state, net = load_net(run)
    front_end = state.recipe.front_end
    out.mkdir(parents=True, exist_ok=True)
    groups = [picture.numpy() for picture in net.pictures()]
    plot_filters(groups, front_end, out / "filters.png")


def in_words(figures: dict[str, Any]) -> str:
    """Say the figures as sentences."""
    answer, second = figures["answer"], figures["runner_up"]
    region, window = figures["region"], figures["window"]
    whole = figures["clip_answer"]
    incomplete = [name for name, found in figures["attributions"].items() if not found["complete"]]
    text = (
        f"{figures['clip']}: {whole['label']} {whole['probability']:.2f} over the whole clip\n"
        f"from {window['start_s']:.1f} s to {window['end_s']:.1f} s it answered {answer['label']} "
        f"{answer['probability']:.2f} ({second['label']} {second['probability']:.2f}), above all because of "
        f"{_rounded(region['low_hz'])} to {_rounded(region['high_hz'])} Hz between {region['from_s']:.1f} s "
        f"and {region['to_s']:.1f} s:\nthere lies {region['share']:.0%} of what speaks for it, on "
        f"{region['area']:.0%} of the window"
    )
    for name in incomplete:
        found = figures["attributions"][name]
        text += f"\nthe map of {name} is rough: it adds up to {found['sum']:.2f} of {found['change']:.2f}"
    return text


def _hear(clip: Path, front_end: FrontEnd, net: Net, temperature: float) -> Hearing:
    frames, powers = clip_frames(clip, front_end)
    given = windows_of(frames, powers, front_end, max(1, round(HOP_S / front_end.frame_s)))
    windows = np.stack([window.frames for window in given])
    ends = np.array([window.end for window in given]) / front_end.sample_rate
    start_s = np.maximum(0.0, ends - front_end.n_frames * front_end.frame_s)
    return Hearing(start_s, windows, softmax(window_logits(net, windows), temperature))


def _attribution_figures(found: Attribution) -> dict[str, Any]:
    return {
        "change": found.change,
        "sum": float(found.cells.sum()),
        "error": found.error,
        "steps": found.steps,
        "complete": found.complete,
    }


def _region_figures(
    region: Region, front_end: FrontEnd, shape: tuple[int, ...], start_s: float
) -> dict[str, float]:
    """Give a region in Hz, and in seconds into the clip."""
    hz = mel_edges(front_end)
    bands, frames = region.bands, region.frames
    area = (bands.stop - bands.start) * (frames.stop - frames.start) / (shape[0] * shape[1])
    return {
        "low_hz": float(hz[bands.start]),
        "high_hz": float(hz[bands.stop + 1]),
        "from_s": start_s + frames.start * front_end.frame_s,
        "to_s": start_s + frames.stop * front_end.frame_s,
        "share": region.share,
        "area": float(area),
    }


def _rounded(hz: float) -> str:
    """Give two digits: more would pretend."""
    return f"{float(f'{hz:.2g}'):.0f}"
