"""What happens to sound on its way to a listener, by name: one clip in, its frames in every condition out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.flow import Frames, Samples
from training import effects
from training.audio import clip_samples, frames_of
from training.views import RATE

SEED = 1  # of the noise, of the choice of clips and of who speaks over what
Effect = Callable[[Samples, np.random.Generator], Samples]
Changed = dict[str, tuple[Frames, NDArray[np.float32]]]
"""Condition -> a clip's (k, n_mels) frames and (k,) powers."""


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


def degrade(task: Task, front_end: FrontEnd) -> Changed:
    """Decode a clip once and change it in every way. Runs in a process of its own."""
    samples = clip_samples(task.path, RATE)
    changed = {
        name: effect(samples, np.random.default_rng((SEED, task.at))) for name, effect in CONDITIONS.items()
    }
    if task.speech is not None:
        speech = clip_samples(task.speech, RATE)
        changed |= {name: effects.mix(samples, speech, ratio) for name, ratio in SPEECH.items()}
    return {name: frames_of(x, RATE, front_end) for name, x in changed.items()}
