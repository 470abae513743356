"""Instruments with a pitch: each function gives one note or chord as (n,) float32, MIDI note numbers in."""

import numpy as np
from numpy.typing import NDArray

from streamer.demo.synth import (
    RATE,
    decay,
    drive,
    envelope,
    equalise,
    harmonics_below,
    length,
    oscillate,
    pitch,
    pluck,
    wave,
)
from streamer.flow import Samples


def release(seconds: float, attack_s: float, release_s: float) -> Samples:
    """Give the shape of a held note: up within the attack, down within the release, at the end."""
    hold_s = max(attack_s, seconds - release_s)
    return envelope(seconds, (0.0, 0.0), (attack_s, 1.0), (hold_s, 1.0), (seconds, 0.0))


def piano(rng: np.random.Generator, note: float, seconds: float, touch: float = 0.7) -> Samples:
    """Give a piano note: three groups of partials that fall at their own pace, on two strings.

    Args:
        rng: sets where the strings begin.
        note: MIDI number.
        seconds: until the damper falls.
        touch: 0 soft to 1 hard, which is brighter.
    """
    f_hz = pitch(note)
    seconds += 0.15
    numbers = harmonics_below(f_hz, 9000.0)
    # A hammer at an eighth of the string leaves its eighth partial out; a hard one excites more of them.
    strengths = np.abs(np.sin(np.pi * numbers / 8.2)) * np.exp(-numbers * f_hz / (1200.0 + 3000.0 * touch))
    strengths /= np.sqrt(np.square(strengths).sum())
    ring_s = float(np.clip(3.0 * 2.0 ** ((48 - note) / 12), 0.3, 6.0))
    tone = np.zeros(length(seconds), np.float32)
    for first, last, share in ((1, 3, 1.0), (4, 9, 0.45), (10, 400, 0.15)):
        group = np.where((numbers >= first) & (numbers <= last), strengths, 0.0)
        strings = sum(
            (
                oscillate(wave(group), f_hz * detune, seconds, phase=float(rng.random()) * 0.1)
                for detune in (0.9997, 1.0004)
            ),
            start=np.zeros(1, np.float32),
        )
        tone += strings * (0.7 * decay(seconds, share * ring_s * 0.4) + 0.3 * decay(seconds, share * ring_s))
    knock = rng.standard_normal(len(tone), dtype=np.float32) * decay(seconds, 0.006)
    return (0.5 * tone + 0.03 * touch * knock) * release(seconds, 0.002, 0.15)


def strings(rng: np.random.Generator, note: float, seconds: float, *, players: int = 5) -> Samples:
    """Give a section of bowed strings: each player with a vibrato and a tuning of his own."""
    f_hz = pitch(note)
    numbers = harmonics_below(f_hz, 10_000.0)
    hz = numbers * f_hz
    # A bow gives 1/n; the body adds its resonances and takes the treble away.
    body = 1.0 + 1.2 * np.exp(-(((hz - 480) / 120) ** 2)) + 0.9 * np.exp(-(((hz - 1100) / 300) ** 2))
    body += 0.9 * np.exp(-(((hz - 2600) / 700) ** 2))
    table = wave(body / numbers / (1.0 + (hz / 2500.0) ** 2))
    clock = np.arange(length(seconds)) / RATE
    grown = np.minimum(1.0, clock / 0.5)  # vibrato comes when the note stands
    section = np.zeros(len(clock), np.float32)
    for _ in range(players):
        rate_hz, turn, cents = rng.uniform(5.0, 6.3), rng.random(), rng.normal(0.0, 5.0)
        vibrato = 12.0 * grown * np.sin(2 * np.pi * (rate_hz * clock + turn))
        section += oscillate(table, f_hz * 2.0 ** ((vibrato + cents) / 1200.0), seconds, float(rng.random()))
    hair = equalise(rng.standard_normal(len(clock), dtype=np.float32), (800, -30), (3000, 0), (8000, -10))
    attack_s = min(0.16, 0.4 * seconds)
    tone = np.float32(0.35 / players**0.5) * section + np.float32(0.012) * hair
    return tone * release(seconds, attack_s, min(0.25, 0.5 * seconds))


def horn(rng: np.random.Generator, note: float, seconds: float) -> Samples:
    """Give a saxophone: a note that is scooped up to, brighter as it grows, with breath in it."""
    f_hz = pitch(note)
    numbers = harmonics_below(f_hz, 9000.0)
    hz = numbers * f_hz
    bore = np.exp(-hz / 1500.0) * (1.0 + 1.5 * np.exp(-(((hz - 1300) / 500) ** 2)))
    clock = np.arange(length(seconds)) / RATE
    bend = -0.8 * np.exp(-clock / 0.035) + 0.2 * np.minimum(1.0, clock / 0.4) * np.sin(
        2 * np.pi * 5.2 * clock
    )
    moving_hz = f_hz * 2.0 ** (bend / 12)
    bright = oscillate(wave(bore), moving_hz, seconds)
    dark = oscillate(wave(bore * np.exp(-hz / 500.0)), moving_hz, seconds)
    breath = equalise(rng.standard_normal(len(clock), dtype=np.float32), (500, -30), (1500, 0), (5000, -6))
    blow = release(seconds, 0.035, 0.06)
    return 0.5 * blow * (dark + blow**2 * (bright - dark) + 0.03 * breath)


def saw(f_hz: float, seconds: float, phase: float, *, limit_hz: float) -> Samples:
    """Give an analogue synthesiser's saw with harmonics up to a limit."""
    return oscillate(wave(0.6 / harmonics_below(f_hz, limit_hz)), f_hz, seconds, phase)


def supersaw(rng: np.random.Generator, notes: tuple[float, ...], seconds: float) -> Samples:
    """Give a chord of detuned saws whose filter closes."""
    chord = np.zeros(length(seconds), np.float32)
    dark = np.zeros(length(seconds), np.float32)
    for note in notes:
        for cents in (-14, -5, 6, 13):
            f_hz, phase = pitch(note + cents / 100), float(rng.random())
            chord += saw(f_hz, seconds, phase, limit_hz=12_000.0)
            dark += saw(f_hz, seconds, phase, limit_hz=1200.0)
    closing = decay(seconds, 0.12)
    return 0.25 * (chord * closing + 0.7 * dark * (1.0 - closing)) * release(seconds, 0.004, 0.05)


def synth_bass(note: float, seconds: float, *, bite: float = 0.06) -> Samples:
    """Give a saw bass whose filter closes within the time constant `bite` (s)."""
    f_hz = pitch(note)
    closing = decay(seconds, bite)
    bright, dark = (saw(f_hz, seconds, 0.0, limit_hz=limit) for limit in (3500.0, 350.0))
    return (bright * closing + dark * (1.0 - closing)) * release(seconds, 0.003, 0.02)


def upright_bass(rng: np.random.Generator, note: float, seconds: float) -> Samples:
    """Give a double bass, plucked by a finger."""
    string = pluck(rng, pitch(note), seconds, ring=0.994, pick=0.15)
    body = equalise(string, (35, -12), (70, 4), (200, 3), (600, -3), (1500, -14), (4000, -34))
    return 1.1 * body * release(seconds, 0.004, 0.06)


def finger_bass(rng: np.random.Generator, note: float, seconds: float) -> Samples:
    """Give an electric bass, round and deep."""
    string = pluck(rng, pitch(note), seconds, ring=0.997, pick=0.1)
    body = equalise(string, (30, -10), (60, 8), (150, 4), (500, -8), (1200, -22), (4000, -50))
    return 1.3 * body * release(seconds, 0.005, 0.05)


def electric_guitar(
    rng: np.random.Generator, notes: tuple[float, ...], seconds: float, *, ring: float
) -> Samples:
    """Give a chord as the strings give it, before any amplifier; a muted one has less ring (0.9)."""
    chord = np.zeros(length(seconds), np.float32)
    for number, note in enumerate(notes):
        in_tune = note + float(rng.normal(0.0, 0.03))  # a hard pick and a fretting hand bend it by some cents
        string = pluck(rng, pitch(in_tune), seconds, ring=ring, pick=0.8)
        late = length(0.004 * number)  # a plectrum meets one string after the other
        chord[late:] += string[: len(chord) - late]
    return 0.4 * chord * release(seconds, 0.001, min(0.03, 0.3 * seconds))


def amplifier(sound: Samples, gain: float) -> Samples:
    """Play a guitar through a high-gain amplifier and the loudspeaker that tames it."""
    tight = equalise(sound, (60, -18), (130, -3), (700, 0), (1500, 3), (6000, 0))
    loud = drive(drive(tight, gain), 2.0)
    return equalise(
        loud,
        (50, -30),
        (90, 4),
        (200, 3),
        (450, -5),
        (900, -7),
        (2200, -3),
        (4200, -3),
        (6500, -16),
        (12000, -45),
    )


def sidechain(beats_s: list[float], seconds: float) -> NDArray[np.float32]:
    """Give the gain that ducks on each beat and comes back, as a compressor keyed by the kick does."""
    clock = np.arange(length(seconds)) / RATE
    since = clock - np.array(beats_s)[np.maximum(0, np.searchsorted(beats_s, clock, side="right") - 1)]
    duck: NDArray[np.float32] = np.clip(since / 0.25, 0.12, 1.0).astype(np.float32)
    return duck
