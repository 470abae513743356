"""The same runs, asked about the same clips after what happens to sound on its way to a listener.

Each clip is decoded once, changed in every way of `CONDITIONS`, and goes through the streamer's own
front end; each run is asked about the clips that it held out. Differences are from the same clips
unchanged, with a paired interval over groups.
"""

import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from streamer.contract import FrontEnd
from training import metrics
from training.ask import Answers
from training.conditions import CLEAN, CONDITIONS, SEED, SPEECH, Changed, Task, degrade
from training.console import out as console
from training.errors import DataError
from training.predict import softmax, window_logits
from training.store import Entry, windows_of
from training.windows import answers

Said = dict[str, dict[int, list[NDArray[np.float64]]]]
"""Condition -> clip -> (labels,) mean probabilities, one from each run that was asked."""


def robustness_figures(
    runs: Sequence[Answers],
    temperatures: Sequence[float],
    audio: Path,
    *,
    clips_per_label: int | None = None,
    hop_s: float,
    jobs: int,
) -> dict[str, Any]:
    """Give the figures of every condition.

    Args:
        runs: as asked about the clean set, all of one recipe.
        temperatures: one a run.
        audio: the folder that the clips' ids are relative to.
        clips_per_label: a seeded choice of so many clips of each label; all where None.
        hop_s: seconds from window to window.
        jobs: processes for the audio.

    Raises:
        DataError: a clip's audio is not there.
    """
    began = time.monotonic()
    clips = _chosen([clip for run in runs for clip in run.clips], clips_per_label)
    asked = {clip.id: [i for i, run in enumerate(runs) if _holds(run, clip)] for clip in clips}
    tasks = pair_with_speech(clips, asked, runs, audio)
    said: Said = {name: {} for name in (*CONDITIONS, *SPEECH)}
    front_end = runs[0].state.recipe.front_end
    hop = max(1, round(hop_s / front_end.frame_s))
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("changing sound", total=len(tasks))
        for at, frames in _degraded(tasks, front_end, jobs):
            own = [(runs[i], temperatures[i]) for i in asked[clips[at].id]]
            for name, means in _ask(frames, own, hop).items():
                said[name][at] = means
            progress.advance(bar)
    conditions = [_condition(name, said, clips, runs[0]) for name in said if said[name]]
    return {
        "clips": len(clips),
        "clips_per_label": clips_per_label,
        "seed": SEED,
        "without_speech_over": sum(
            task.speech is None and _is_music(clips[task.at], runs[0]) for task in tasks
        ),
        "seconds": round(time.monotonic() - began, 1),
        "conditions": conditions,
    }


def _chosen(clips: Sequence[Entry], per_label: int | None) -> list[Entry]:
    """Choose clips, each once, whatever the number of seeds that asked about it."""
    every = {clip.id: clip for clip in clips}
    shuffled = np.random.default_rng(SEED).permutation(sorted(every))
    chosen: dict[str, list[Entry]] = {}
    for name in shuffled:
        chosen.setdefault(every[str(name)].label, []).append(every[str(name)])
    return sorted((c for part in chosen.values() for c in part[:per_label]), key=lambda clip: clip.id)


def pair_with_speech(
    clips: Sequence[Entry], asked: dict[str, list[int]], runs: Sequence[Answers], audio: Path
) -> list[Task]:
    """Pair each music clip with a speaker that none of the runs asked about it has heard, if there is one."""
    random = np.random.default_rng(SEED)
    held_out = [{clip.id for clip in run.clips} for run in runs]
    speakers = sorted({clip.id for run in runs for clip in run.clips if clip.label == "speech"})
    tasks = []
    for at, clip in enumerate(clips):
        path = audio / clip.id
        if not path.is_file():
            raise DataError(f"{path}: no such file", remedy="give --audio the folder of the set's audio")
        unheard = [s for s in speakers if all(s in held_out[i] for i in asked[clip.id])]
        speech = None
        if unheard and _is_music(clip, runs[0]):
            speech = audio / unheard[random.integers(len(unheard))]
        tasks.append(Task(at, path, speech))
    return tasks


def _degraded(tasks: Sequence[Task], front_end: FrontEnd, jobs: int) -> Iterator[tuple[int, Changed]]:
    """Give each clip's frames and powers in every condition, in the order of the tasks."""
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=signal.signal, initargs=ignore)
    try:
        coming = iter(tasks)
        running = deque(pool.submit(degrade, task, front_end) for task in islice(coming, 2 * jobs))
        for task in tasks:
            yield task.at, running.popleft().result()
            running.extend(pool.submit(degrade, further, front_end) for further in islice(coming, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def _ask(
    frames: Changed, runs: Sequence[tuple[Answers, float]], hop: int
) -> dict[str, list[NDArray[np.float64]]]:
    """Give, for each condition, what each run says of a clip with its temperature."""
    windows = {}
    for name, (of_clip, powers) in frames.items():
        given = windows_of(of_clip, powers, runs[0][0].state.recipe.front_end, hop)
        if given:  # a clip of hardly more than a second, played faster, is too short for one
            windows[name] = np.stack([window.frames for window in given])
    ends = np.cumsum([len(w) for w in windows.values()])[:-1]
    batch = np.concatenate(list(windows.values()))
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in windows}
    for run, temperature in runs:
        said = softmax(window_logits(run.net, batch), temperature)
        for name, p in zip(windows, np.split(said, ends), strict=True):
            found[name].append(p.mean(axis=0))
    return found


def _condition(
    name: str,
    said: Said,
    clips: Sequence[Entry],
    run: Answers,
) -> dict[str, Any]:
    """Compare a condition with the clean clips: hits and unsure answers are averaged over the seeds first."""
    labels, recipe = run.state.labels, run.state.recipe
    music = [at for at in said[name] if _is_music(clips[at], run)]
    other = [at for at in said[name] if not _is_music(clips[at], run)]

    def hits(of: str, chosen: Sequence[int]) -> NDArray[np.float64]:
        return np.array(
            [np.mean([labels[p.argmax()] == clips[at].label for p in said[of][at]]) for at in chosen]
        )

    groups = [clips[at].group for at in music]
    every = [answers(np.array(said[name][at]), labels, recipe) for at in music]
    unsure = np.mean([answer.state == "unsure" for of_clip in every for answer in of_clip])
    now, clean = hits(name, music), hits(CLEAN, music)
    low, high = metrics.interval_over_groups(now - clean, groups)
    return {
        "name": name,
        "clips": len(music),
        "groups": len(set(groups)),
        "accuracy": float(now.mean()),
        "clean_accuracy": float(clean.mean()),
        "difference": {"value": float((now - clean).mean()), "low": low, "high": high},
        "unsure": float(unsure),
        "not_music_accuracy": float(hits(name, other).mean()) if other else None,
    }


def _holds(run: Answers, clip: Entry) -> bool:
    return clip.id in run.state.held_out


def _is_music(clip: Entry, run: Answers) -> bool:
    return clip.label not in run.state.recipe.not_music
