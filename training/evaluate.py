"""What runs are worth on groups that they have not seen: figures as JSON, pictures as PNG.

Each run held one fold out and is asked about that fold alone. The temperature for a fold is
fitted on the other folds' held-out windows, so it has not seen the fold either.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.checkpoint import RunState
from training.errors import RunError, SplitError
from training.fit import load_net
from training.metrics import calibration_error, confusion, f1, interval_over_groups, recall
from training.plots import plot_confusion, plot_curves
from training.predict import Logits, clip_logits, fit_temperature, softmax
from training.splits import describe
from training.store import Entry, PreparedSet, replace

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answers:
    """What one run says of its fold: logits (n, labels) of windows, and which clip each window is of."""

    state: RunState
    clips: list[Entry]
    logits: Logits
    targets: Ints
    clip_of: Ints


def evaluate(runs: Sequence[Path], data: Path, out: Path, *, hop_s: float = 0.5) -> dict[str, Any]:
    """Evaluate runs of one recipe; write `evaluation.json` and two pictures; print a summary.

    Args:
        runs: folders of runs that each held a fold out; folds of several split seeds are averaged.
        data: the prepared set.
        out: folder for the files.
        hop_s: seconds from window to window.

    Raises:
        RunError: a run can't be asked about anything, or the runs don't belong together.
        SplitError: a group of a held-out clip was among those that taught the run.
    """
    prepared = PreparedSet(data)
    answers = [_ask(run, prepared, hop_s) for run in runs]
    _check_together(answers)
    figures = _figures(answers)
    out.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(figures), indent=1)
    replace(out / "evaluation.json", lambda file: file.write(text))
    accuracy = figures["accuracy"]
    plot_confusion(
        np.array(figures["confusion"]),
        figures["labels"],
        f"{figures['recipe']}: {accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f})\n"
        f"{accuracy['of']}",
        out / "confusion.png",
    )
    plot_curves([answer.state for answer in answers], out / "curves.png")
    _tell(figures, out)
    return figures


def _ask(run: Path, prepared: PreparedSet, hop_s: float) -> Answers:
    state, net = load_net(run)
    if prepared.front_end != state.recipe.front_end:
        raise RunError(
            f"{prepared.folder} was prepared with another front end than {run}",
            remedy="prepare the set with the recipe's own front end",
        )
    wanted = set(state.held_out)
    clips = [clip for clip in prepared.clips if clip.id in wanted]
    if not clips:
        raise RunError(
            f"{run} held nothing out that is in {prepared.folder}",
            remedy="evaluate runs made with 'fit --fold K', on the set that they were made on",
        )
    taught = set(state.train_groups)
    for clip in clips:
        if clip.group in taught and not state.leaky:
            raise SplitError(
                f"group '{clip.group}' of '{clip.id}' taught {run}",
                remedy="evaluate on the set that the run was made on; its groups must not have changed",
            )
        if clip.label not in state.labels:
            raise RunError(f"{run} does not know label '{clip.label}'", remedy="evaluate on its own set")
    return Answers(state, clips, *clip_logits(net, prepared, clips, state.labels, hop_s=hop_s))


def _check_together(answers: Sequence[Answers]) -> None:
    first = answers[0].state
    seen: set[tuple[int, int | None]] = set()
    for state in (answer.state for answer in answers):
        same = (state.labels, state.split, state.folds) == (first.labels, first.split, first.folds)
        if not (same and state.recipe.trains_as(first.recipe)):
            raise RunError("the runs are of different recipes", remedy="evaluate one recipe at a time")
        if not state.done:
            raise RunError(
                f"the run of fold {state.fold} stands at step {state.step}",
                remedy="finish it with 'python -m training fit --resume'",
            )
        if (state.split_seed, state.fold) in seen:
            raise RunError(f"fold {state.fold} is there twice", remedy="name each fold's run once")
        seen.add((state.split_seed, state.fold))


def _figures(answers: Sequence[Answers]) -> dict[str, Any]:
    """Give everything that `evaluation.json` holds."""
    state = answers[0].state
    labels, not_music = state.labels, state.recipe.not_music
    music = np.array([label not in not_music for label in labels])
    temperatures = [_temperature_for(own, answers) for own in answers]
    clip_targets: list[int] = []
    clip_answers: list[int] = []
    groups: list[str] = []
    probabilities = []
    for answer, temperature in zip(answers, temperatures, strict=True):
        p = softmax(answer.logits, temperature)
        probabilities.append(p)
        for at, clip in enumerate(answer.clips):
            mean = p[answer.clip_of == at].mean(axis=0)
            clip_answers.append(int(mean.argmax()))
            clip_targets.append(labels.index(clip.label))
            groups.append(clip.group)
    targets, said = np.array(clip_targets), np.array(clip_answers)
    windows, window_targets = np.concatenate(probabilities), np.concatenate([a.targets for a in answers])
    window_said = windows.argmax(axis=1)
    counts = confusion(targets, said, len(labels))
    genre = music[targets]
    hits = (targets == said).astype(float)
    low, high = interval_over_groups(hits[genre], [g for g, m in zip(groups, genre, strict=True) if m])
    seeds = sorted({answer.state.split_seed for answer in answers})
    folds = sorted({answer.state.fold for answer in answers if answer.state.fold is not None})
    whole = len(folds) == state.folds
    scope = describe(state.split, folds, state.folds)
    raw = softmax(np.concatenate([answer.logits for answer in answers]))
    return {
        "recipe": state.recipe.name,
        "commit": state.commit,
        "labels": labels,
        "split": state.split,
        "leaky": state.leaky,
        "split_seeds": seeds,
        "folds": folds,
        "clips": len(targets) // len(seeds) if whole else len(targets),
        "temperature": _temperature(answers) if folds else temperatures[0],
        "temperatures_by_run": temperatures,
        "accuracy": {
            "value": float(hits[genre].mean()),
            "low": low,
            "high": high,
            "of": f"clips of {music.sum()} genres, {scope}",
        },
        "accuracy_by_split_seed": {str(s): _seed_accuracy(answers, hits, genre, s) for s in seeds},
        "balanced_accuracy": float(np.nanmean(recall(counts)[music])),
        "macro_f1": float(np.nanmean(f1(counts)[music])),
        "all_labels": {
            "accuracy": float(hits.mean()),
            "balanced_accuracy": float(np.nanmean(recall(counts))),
            "macro_f1": float(np.nanmean(f1(counts))),
        },
        "segments": _segment_figures(windows, raw, window_targets, window_said, music),
        "recall": dict(zip(labels, recall(counts).tolist(), strict=True)),
        "clips_by_label": dict(Counter(labels[t] for t in clip_targets)),
        "confusion": counts.tolist(),
    }


def _segment_figures(
    windows: NDArray[np.float64],
    raw: NDArray[np.float64],
    targets: Ints,
    said: Ints,
    music: NDArray[np.bool_],
) -> dict[str, float]:
    genre = music[targets]
    other = ~genre
    even, alike = _even(targets), np.ones(len(targets))
    return {
        "windows": len(targets),
        "accuracy": float((said == targets)[genre].mean()) if genre.any() else float("nan"),
        "accuracy_all_labels": float((said == targets).mean()),
        "ece": calibration_error(windows, targets, even),
        "ece_before_temperature": calibration_error(raw, targets, even),
        "ece_as_counted": calibration_error(windows, targets, alike),
        "music_called_not_music": float((~music[said])[genre].mean()) if genre.any() else 0.0,
        "not_music_called_music": float(music[said][other].mean()) if other.any() else 0.0,
    }


def _seed_accuracy(
    answers: Sequence[Answers], hits: NDArray[np.float64], genre: NDArray[np.bool_], seed: int
) -> float:
    of_seed = np.concatenate([np.full(len(a.clips), a.state.split_seed == seed) for a in answers])
    return float(hits[of_seed & genre].mean())


def _others(own: Answers, answers: Sequence[Answers]) -> list[Answers]:
    """Give the other folds of the same split: those of another split hold this fold's clips too."""
    seed, fold = own.state.split_seed, own.state.fold
    return [a for a in answers if a.state.split_seed == seed and a.state.fold != fold]


def _temperature_for(own: Answers, answers: Sequence[Answers]) -> float:
    """Give the temperature of the other folds; of the run's own dev part where there are none."""
    others = _others(own, answers)
    if others:
        return _temperature(others)
    return own.state.temperature if own.state.dev else _temperature([own])


def _temperature(answers: Sequence[Answers]) -> float:
    """Fit one temperature to runs' held-out windows; every label weighs the same, as in training."""
    targets = np.concatenate([answer.targets for answer in answers])
    return fit_temperature(np.concatenate([answer.logits for answer in answers]), targets, _even(targets))


def _even(targets: Ints) -> NDArray[np.float64]:
    """Give (n,) weights with which each label counts the same."""
    return 1.0 / np.bincount(targets)[targets]


def _tell(figures: dict[str, Any], out: Path) -> None:
    accuracy, segments = figures["accuracy"], figures["segments"]
    print(f"{accuracy['of']}: {accuracy['value']:.3f}", end=" ")
    print(f"(95% over groups {accuracy['low']:.3f} to {accuracy['high']:.3f})")
    print(f"  by split seed {figures['accuracy_by_split_seed']}")
    print(f"  balanced {figures['balanced_accuracy']:.3f}, macro-F1 {figures['macro_f1']:.3f} over genres")
    print(f"  segments {segments['accuracy']:.3f}, ECE {segments['ece']:.3f}", end=" ")
    print(f"(before the temperature {segments['ece_before_temperature']:.3f})")
    print(f"  windows: music called speech or noise {segments['music_called_not_music']:.3f}, ", end="")
    print(f"speech or noise called music {segments['not_music_called_music']:.3f}")
    print("  recall " + ", ".join(f"{label} {value:.2f}" for label, value in figures["recall"].items()))
    print(f"  temperature {figures['temperature']:.3f}; files in {out}")
