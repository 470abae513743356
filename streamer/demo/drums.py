"""A drum kit: one function a drum, each gives a single stroke as (n,) float32 with a peak near 1."""

import numpy as np

from streamer.demo.synth import (
    decay,
    drive,
    envelope,
    equalise,
    length,
    noise,
    oscillate,
    wave,
)
from streamer.flow import Samples

SINE = wave(np.ones(1))
# Overtones of a plate, as a cymbal has them, relative to the lowest: no two in tune.
PLATE = (1.0, 1.34, 1.79, 2.21, 2.63, 3.17, 3.86, 4.43)


def kick(
    rng: np.random.Generator, *, from_hz: float = 180.0, to_hz: float = 50.0, ring_s: float = 0.11
) -> Samples:
    """Give a bass drum: a sine that falls in pitch, with the click of the beater."""
    seconds = 5 * ring_s
    f_hz = to_hz + (from_hz - to_hz) * decay(seconds, 0.028).astype(np.float64)
    skin = oscillate(SINE, f_hz, seconds) * decay(seconds, ring_s)
    click = equalise(noise(rng, seconds), (700, -30), (2500, 0), (7000, 0), (9000, -20))
    attack = envelope(seconds, (0.0, 0.0), (0.001, 1.0), (seconds, 1.0))
    return drive(attack * (skin + 0.5 * click * decay(seconds, 0.004)), 1.4)


def snare(rng: np.random.Generator, *, tone_hz: float = 190.0, ring_s: float = 0.09) -> Samples:
    """Give a snare drum: two modes of the skin and the rattle of the wires."""
    seconds = 5 * ring_s
    skin = oscillate(SINE, tone_hz, seconds) + 0.6 * oscillate(SINE, tone_hz * 1.6, seconds)
    wires = equalise(noise(rng, seconds), (150, -30), (900, -6), (2000, 0), (8000, 0), (16000, -9))
    return drive(0.6 * skin * decay(seconds, 0.5 * ring_s) + 0.7 * wires * decay(seconds, ring_s), 1.2)


def clap(rng: np.random.Generator) -> Samples:
    """Give several hands within 40 ms."""
    seconds = 0.4
    hands = equalise(noise(rng, seconds), (400, -30), (900, 0), (2200, 2), (5000, -8), (14000, -16))
    bursts = np.zeros_like(hands)
    for start_s, weight in ((0.0, 0.7), (0.011, 0.8), (0.023, 1.0)):
        start = round(start_s * len(hands) / seconds)
        bursts[start:] += weight * decay(seconds, 0.006)[: len(hands) - start]
    bursts += 0.35 * decay(seconds, 0.07)
    return drive(hands * bursts, 1.0)


def hat(rng: np.random.Generator, *, ring_s: float = 0.03) -> Samples:
    """Give a hi-hat: closed with a ring of 0.03 s, open with 0.2 s."""
    seconds = 5 * ring_s
    metal = equalise(noise(rng, seconds), (3000, -40), (6500, -4), (9000, 0), (15000, 0), (18000, -12))
    return 0.6 * metal * decay(seconds, ring_s)


def cymbal(
    rng: np.random.Generator, *, lowest_hz: float, ring_s: float, stick: float, wash: float
) -> Samples:
    """Give a ride (a clear stick, little wash) or a crash (all wash).

    Args:
        rng: makes the wash.
        lowest_hz: of the plate's overtones that are heard.
        ring_s: time constant of the fall.
        stick: share of the short stroke.
        wash: share of the noise that follows.
    """
    seconds = 3 * ring_s
    plate = np.zeros(length(seconds), np.float32)
    for ratio in PLATE:
        plate += oscillate(SINE, lowest_hz * ratio, seconds, 0.37 * ratio)
    hiss = equalise(noise(rng, seconds), (2000, -30), (5000, 0), (12000, 0), (17000, -12))
    swell = envelope(seconds, (0.0, 0.4), (0.02, 1.0), (seconds, 1.0))
    ringing = (0.05 * plate + np.float32(wash) * hiss * swell) * decay(seconds, ring_s)
    return ringing + np.float32(stick) * (0.1 * plate + 0.6 * hiss) * decay(seconds, 0.012)
