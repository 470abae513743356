"""The same runs, asked about the same clips after what happens to sound on its way to a listener.

Each clip is decoded once, changed in every way of `CONDITIONS`, and goes through the streamer's own
front end; each run is asked about the clips that it held out. Differences are from the same clips
unchanged, with a paired interval over groups.
"""

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress

from streamer.contract import FrontEnd
from streamer.flow import Samples
from streamer.signal.window import WindowStream
from training import effects, metrics
from training.ask import Answers
from training.audio import clip_samples, frames_of
from training.console import out as console
from training.errors import DataError
from training.predict import softmax
from training.store import Entry
from training.windows import answers

RATE = 24_000  # of the audio that is changed, as in `training.views`: the model looks no higher than 7.8 kHz
SEED = 1  # of the noise, of the choice of clips and of who speaks over what
Effect = Callable[[Samples, np.random.Generator], Samples]


def _noise(samples: Samples, random: np.random.Generator, *, colour: str, snr_db: float) -> Samples:
    enough = 1 << len(samples).bit_length()  # a power of two: others take the transform ten times as long
    return effects.mix(samples, effects.noise(enough, colour, random)[: len(samples)], snr_db)


CONDITIONS: dict[str, Effect] = {
    "clean": lambda x, _: x,
    **{f"level {db:+d} dB": lambda x, _, db=db: effects.gain(x, db) for db in (-35, -20, 6)},
    **{
        f"low-pass {hz // 1000} kHz": lambda x, _, hz=hz: effects.low_pass(x, RATE, hz) for hz in (8000, 4000)
    },
    **{
        f"{name.upper()} {kbps} kb/s": lambda x, _, name=name, kbps=kbps: effects.codec(x, RATE, name, kbps)
        for name, kbps in (("mp3", 128), ("mp3", 64), ("mp3", 48), ("mp3", 32), ("aac", 48), ("opus", 32))
    },
    **{f"tempo {pc:+d}%": lambda x, _, pc=pc: effects.tempo(x, RATE, 1 + pc / 100) for pc in (-4, 4)},
    **{f"pitch {st:+.1f} semitone": lambda x, _, st=st: effects.pitch(x, RATE, st) for st in (-0.5, 0.5)},
    **{
        f"{colour} noise {db} dB below": partial(_noise, colour=colour, snr_db=db)
        for colour in ("white", "pink")
        for db in (20, 10)
    },
}
"""Name -> effect on (n,) samples at `RATE`. The first is what the others are compared with."""
SPEECH = {"speech 5 dB below": 5.0, "speech as loud": 0.0}
"""Name -> music-to-speech ratio in dB; music clips only, under a speaker that the runs never heard."""
CLEAN = next(iter(CONDITIONS))


@dataclass(frozen=True, slots=True)
class Task:
    """One clip to change: its number, its file, and the speech that goes over it where there is some."""

    at: int
    path: Path
    speech: Path | None


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
    tasks = _tasks(clips, asked, runs, audio)
    said: dict[str, dict[int, list[NDArray[np.float64]]]] = {name: {} for name in (*CONDITIONS, *SPEECH)}
    front_end = runs[0].state.recipe.front_end
    hop = max(1, round(hop_s / front_end.frame_s))
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("changing sound", total=len(tasks))
        for at, frames in _degraded(tasks, front_end, jobs):
            own = asked[clips[at].id]
            for name, means in _ask(
                frames, [runs[i] for i in own], [temperatures[i] for i in own], hop
            ).items():
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


def _tasks(
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


def _degraded(
    tasks: Sequence[Task], front_end: FrontEnd, jobs: int
) -> Iterator[tuple[int, dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]]]:
    """Give each clip's frames and powers in every condition, in the order of the tasks."""
    ignore = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=signal.signal, initargs=ignore)
    try:
        ahead = 2 * jobs  # more would only fill the memory
        futures = [pool.submit(degrade, task, front_end) for task in tasks[:ahead]]
        for at, task in enumerate(tasks):
            yield task.at, futures[at].result()
            futures[at] = None  # type: ignore[call-overload]
            if at + ahead < len(tasks):
                futures.append(pool.submit(degrade, tasks[at + ahead], front_end))
    finally:
        pool.shutdown(cancel_futures=True)


def degrade(task: Task, front_end: FrontEnd) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Decode a clip once and give its frames and powers in every condition."""
    samples = clip_samples(task.path, RATE)
    changed = {
        name: effect(samples, np.random.default_rng((SEED, task.at))) for name, effect in CONDITIONS.items()
    }
    if task.speech is not None:
        speech = clip_samples(task.speech, RATE)
        changed |= {name: effects.mix(samples, speech, ratio) for name, ratio in SPEECH.items()}
    return {name: frames_of(x, RATE, front_end) for name, x in changed.items()}


def _ask(
    frames: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]],
    runs: Sequence[Answers],
    temperatures: Sequence[float],
    hop: int,
) -> dict[str, list[NDArray[np.float64]]]:
    """Give, for each condition, each run's (labels,) mean probabilities over the clip's windows."""
    windows = {}
    for name, (of_clip, powers) in frames.items():
        stream = WindowStream(runs[0].state.recipe.front_end, hop)
        windows[name] = np.stack([w.frames for w in (*stream.push(of_clip, powers, 0), *stream.flush(0))])
    ends = np.cumsum([len(w) for w in windows.values()])[:-1]
    batch = torch.from_numpy(np.concatenate(list(windows.values())))
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in windows}
    for run, temperature in zip(runs, temperatures, strict=True):
        with torch.inference_mode():
            logits = torch.cat([run.net(part) for part in batch.split(256)]).numpy()
        for name, p in zip(windows, np.split(softmax(logits, temperature), ends), strict=True):
            found[name].append(p.mean(axis=0))
    return found


def _condition(
    name: str,
    said: dict[str, dict[int, list[NDArray[np.float64]]]],
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

    def unsure(of: str) -> float:
        every = [
            answer.state == "unsure"
            for at in music
            for answer in answers(np.array(said[of][at]), labels, recipe)
        ]
        return float(np.mean(every))

    groups = [clips[at].group for at in music]
    now, clean = hits(name, music), hits(CLEAN, music)
    low, high = metrics.interval_over_groups(now - clean, groups)
    return {
        "name": name,
        "clips": len(music),
        "groups": len(set(groups)),
        "accuracy": float(now.mean()),
        "clean_accuracy": float(clean.mean()),
        "difference": {"value": float((now - clean).mean()), "low": low, "high": high},
        "unsure": unsure(name),
        "not_music_accuracy": float(hits(name, other).mean()) if other else None,
    }


def _holds(run: Answers, clip: Entry) -> bool:
    return clip.id in run.state.held_out


def _is_music(clip: Entry, run: Answers) -> bool:
    return clip.label not in run.state.recipe.not_music
