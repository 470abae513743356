"""Random views of a sound, as radio would have it: what a student learns from, and its teacher labels anew.

A view first changes what is played (speed, pitch, another record mixed in), then how it arrives
(equaliser, compressor, speech over it, codec, low-pass).
"""

from collections.abc import Callable

import numpy as np

from streamer.flow import Samples
from training import effects

RATE = 24_000
"""Hz at which views are made: the model looks no higher than 8 kHz."""
BITRATES = {"mp3": (32, 48, 64, 96, 128), "aac": (32, 48, 64, 96), "opus": (16, 24, 32, 48)}
Partner = tuple[str, str, Samples]
"""Label ("" where there is none), group, (n,) samples at `RATE`."""


def make_view(
    samples: Samples,
    label: str,
    partner: Callable[[np.random.Generator], Partner],
    random: np.random.Generator,
) -> tuple[Samples, str]:
    """Make a random view; give it, and the group of what was mixed in ("" where nothing was).

    Args:
        samples: (n,) float32 mono at `RATE`, n >= 1.
        label: what it is; "" where that is not known.
        partner: draws another sound to mix in.
        random: all chance comes from here.
    """
    played, heard_over, also = samples, None, ""
    if random.random() < 0.6:
        played = effects.tempo(played, RATE, random.uniform(0.9, 1.1))
    if random.random() < 0.3:
        played = effects.pitch(played, RATE, random.uniform(-1.5, 1.5))
    if random.random() < 0.35:
        other_label, group, other = partner(random)
        if label in ("", other_label) and other_label != "speech":
            # Two records at once, of one kind.
            played, also = effects.mix(played, other, random.uniform(-3.0, 12.0)), group
        elif other_label in ("speech", "noise") and label != other_label:
            heard_over, also = (other, random.uniform(2.0 if label else 6.0, 15.0)), group
        else:
            played, also = effects.mix(played, other, random.uniform(8.0, 20.0)), group
    heard = played if heard_over is None else effects.mix(played, *heard_over)
    return _finite(_arrive(heard, random)), also


def _arrive(samples: Samples, random: np.random.Generator) -> Samples:
    if random.random() < 0.6:
        bands = [
            (
                float(np.exp(random.uniform(np.log(80), np.log(7000)))),
                random.uniform(0.7, 3.0),
                random.normal(0, 4.5),
            )
            for _ in range(3)
        ]
        samples = effects.equalise(samples, RATE, bands)
    if random.random() < 0.3:
        samples = effects.compress(samples, RATE, random.uniform(2.0, 6.0))
    if random.random() < 0.1:
        hiss = effects.noise(len(samples), str(random.choice(["white", "pink"])), random)
        samples = effects.mix(samples, hiss, random.uniform(15.0, 40.0))
    if random.random() < 0.2:
        samples = effects.low_pass(samples, RATE, random.uniform(3000.0, 8000.0))
    if random.random() < 0.12:
        name = str(random.choice(list(BITRATES)))
        samples = effects.codec(samples, RATE, name, int(random.choice(BITRATES[name])))
    return samples


def _finite(samples: Samples) -> Samples:
    return np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
