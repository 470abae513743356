"""Runs in, answers out: each run is asked, window by window, about the fold that it held out.

The temperature for a fold is fitted on the other folds' held-out windows, so it has not seen the
fold either; where there is no other fold, on the run's dev part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.checkpoint import RunState
from training.errors import RunError, SplitError
from training.fit import load_net
from training.nets import Net
from training.predict import Logits, clip_logits, fit_temperature, softmax
from training.store import Entry, PreparedSet

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answers:
    """What one run says of clips: logits (n, labels) of windows, (n,) targets, (n,) which clip each is of."""

    state: RunState
    net: Net
    clips: list[Entry]
    logits: Logits
    targets: Ints
    clip_of: Ints


@dataclass(frozen=True, slots=True)
class Judged:
    """Calibrated answers of all runs. A clip that several split seeds asked about stands there for each.

    Attributes:
        labels: in the order of the probabilities.
        music: (labels,), which of them are genres.
        clips, seeds, targets: (n,) clips asked, the split seed that did, and their labels.
        probabilities: (n, labels), the mean over a clip's windows.
        windows, raw: (m, labels), after the temperature and before.
        window_targets, window_clip: (m,), the label and the row of the clip of each window.
    """

    labels: list[str]
    music: NDArray[np.bool_]
    clips: list[Entry]
    seeds: Ints
    targets: Ints
    probabilities: Floats
    windows: Floats
    raw: Floats
    window_targets: Ints
    window_clip: Ints

    @property
    def hits(self) -> Floats:
        """(n,) 1.0 where the most probable of all labels is the clip's."""
        return (self.probabilities.argmax(axis=1) == self.targets).astype(float)


def ask(run: Path, prepared: PreparedSet, *, hop_s: float) -> Answers:
    """Ask a run about the clips of the set that it held out; raises what `open_run` does."""
    state, net, clips = open_run(run, prepared)
    return Answers(state, net, clips, *clip_logits(net, prepared, clips, state.labels, hop_s=hop_s))


def open_run(run: Path, prepared: PreparedSet) -> tuple[RunState, Net, list[Entry]]:
    """Give a finished run, its network, and the clips of the set that it held out.

    Raises:
        RunError: the run can't be asked about anything there.
        SplitError: a group of a held-out clip taught the run, and no leaky split was asked for.
    """
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
    if not state.done:
        raise RunError(
            f"{run} stands at step {state.step} of {state.recipe.fit.steps}",
            remedy="finish it with 'python -m training fit --resume'",
        )
    _check_clips(clips, state, run)
    return state, net, clips


def _check_clips(clips: Sequence[Entry], state: RunState, run: Path) -> None:
    taught = set(state.train_groups)
    for clip in clips:
        if clip.group in taught and not state.leaky:
            raise SplitError(
                f"group '{clip.group}' of '{clip.id}' taught {run}",
                remedy="evaluate on the set that the run was made on; its groups must not have changed",
            )
        if clip.label not in state.labels:
            raise RunError(f"{run} does not know label '{clip.label}'", remedy="evaluate on its own set")


def check_together(states: Sequence[RunState]) -> None:
    """Refuse runs that are not the folds of one recipe.

    Raises:
        RunError: they are of different recipes, or a fold is there twice.
    """
    first = states[0]
    seen: set[tuple[int, int | None]] = set()
    for state in states:
        same = (state.labels, state.split, state.folds) == (first.labels, first.split, first.folds)
        if not (same and state.recipe.trains_as(first.recipe)):
            raise RunError("the runs are of different recipes", remedy="evaluate one recipe at a time")
        if (state.split_seed, state.fold) in seen:
            raise RunError(f"fold {state.fold} is there twice", remedy="name each fold's run once")
        seen.add((state.split_seed, state.fold))


def judge(answers: Sequence[Answers], temperatures: Sequence[float]) -> Judged:
    """Calibrate answers of runs of one recipe and average them over clips; one temperature a run."""
    state = answers[0].state
    windows = [softmax(a.logits, t) for a, t in zip(answers, temperatures, strict=True)]
    means = [
        np.stack([p[a.clip_of == at].mean(axis=0) for at in range(len(a.clips))])
        for a, p in zip(answers, windows, strict=True)
    ]
    starts = np.cumsum([0] + [len(a.clips) for a in answers])
    return Judged(
        labels=state.labels,
        music=np.array([label not in state.recipe.not_music for label in state.labels]),
        clips=[clip for a in answers for clip in a.clips],
        seeds=np.concatenate([np.full(len(a.clips), a.state.split_seed) for a in answers]),
        targets=np.array([state.labels.index(clip.label) for a in answers for clip in a.clips]),
        probabilities=np.concatenate(means),
        windows=np.concatenate(windows),
        raw=softmax(np.concatenate([a.logits for a in answers])),
        window_targets=np.concatenate([a.targets for a in answers]),
        window_clip=np.concatenate(
            [a.clip_of + start for a, start in zip(answers, starts[:-1], strict=True)]
        ),
    )


def temperatures_of(answers: Sequence[Answers]) -> list[float]:
    """Give each run's temperature, fitted on windows that `fitted_on` names."""
    found = []
    for own in answers:
        others = _others(own, answers)
        if others:
            found.append(temperature(others))
        else:
            found.append(own.state.temperature if own.state.dev else temperature([own]))
    return found


def fitted_on(answers: Sequence[Answers]) -> str:
    """Say what the temperatures were fitted on, for the reader of a calibration error."""
    if all(_others(own, answers) for own in answers):
        return "the other folds"
    if all(own.state.dev for own in answers):
        return "the dev part"
    return "the windows that are judged: there is no other fold"


def _others(own: Answers, answers: Sequence[Answers]) -> list[Answers]:
    """Give the other folds of the same split: those of another split hold this fold's clips too."""
    seed, fold = own.state.split_seed, own.state.fold
    return [a for a in answers if a.state.split_seed == seed and a.state.fold != fold]


def temperature(answers: Sequence[Answers]) -> float:
    """Fit one temperature to runs' held-out windows; every label weighs the same, as in training."""
    targets = np.concatenate([answer.targets for answer in answers])
    return fit_temperature(np.concatenate([answer.logits for answer in answers]), targets, even(targets))


def even(targets: Ints) -> Floats:
    """Give (n,) weights with which each label counts the same."""
    return 1.0 / np.bincount(targets)[targets]
