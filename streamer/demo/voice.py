"""A voice that says nothing: syllables of no language, with the pulse, melody and rhythm of speech.

The source is a train of glottal pulses with a moving pitch, and noise where a consonant
hisses. Both pass through a filter that moves from sound to sound: one short-time
transform, so that no loop runs over samples.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.demo.synth import RATE, equalise, length
from streamer.flow import Samples

SYLLABLE_S = 0.21  # on average: speech has about five syllables a second
PITCH_HZ = 112.0  # a man's voice
FRAME = 1024  # samples of the short-time transform, 23 ms: shorter than any sound of speech
HOP = FRAME // 4
BANDWIDTHS_HZ = (70.0, 90.0, 130.0, 200.0, 250.0)  # of the formants, lowest first
# A microphone close to the mouth, as in a studio: some treble.
MICROPHONE = ((60, -20), (100, 0), (1500, 0), (3500, 7), (9000, 8))


class Sound(NamedTuple):
    """What the mouth does for one sound of speech.

    Attributes:
        formants_hz: the lowest three; the two above stay where they are.
        seconds: how long, at an ordinary pace.
        voiced: level of the glottal pulses, 0..1.
        hiss: level of the noise, 0..1.
        hiss_hz: centre of the noise.
    """

    formants_hz: tuple[float, float, float]
    seconds: float
    voiced: float
    hiss: float = 0.0
    hiss_hz: float = 4000.0


# A man's vowels after Peterson and Barney (1952).
VOWELS = (
    Sound((270, 2290, 3010), 0.10, 1.0),  # i
    Sound((480, 1930, 2550), 0.10, 1.0),  # e
    Sound((660, 1720, 2410), 0.12, 1.0),  # ae
    Sound((730, 1090, 2440), 0.12, 1.0),  # a
    Sound((530, 880, 2410), 0.11, 1.0),  # o
    Sound((310, 870, 2240), 0.10, 1.0),  # u
    Sound((490, 1350, 1690), 0.10, 1.0),  # er
    Sound((600, 1190, 2390), 0.08, 0.9),  # uh
)
CONSONANTS = (
    Sound((320, 1700, 2600), 0.10, 0.0, 0.5, 6200.0),  # s
    Sound((320, 1800, 2500), 0.10, 0.0, 0.55, 3200.0),  # sh
    Sound((300, 1000, 2400), 0.08, 0.0, 0.16, 5500.0),  # f
    Sound((300, 1700, 2600), 0.08, 0.35, 0.3, 5800.0),  # z
    Sound((550, 1400, 2500), 0.06, 0.05, 0.2, 1700.0),  # h
    Sound((250, 1000, 2200), 0.07, 0.45),  # m
    Sound((250, 1500, 2500), 0.07, 0.45),  # n
    Sound((360, 1100, 2600), 0.06, 0.7),  # l
    Sound((360, 1200, 1600), 0.07, 0.7),  # r
    Sound((300, 700, 2200), 0.07, 0.7),  # w
    Sound((280, 2200, 2900), 0.06, 0.7),  # y
)
# A stop is a closure, then a burst: written as two sounds.
CLOSURE = Sound((300, 1300, 2400), 0.05, 0.03)
BURSTS = (
    Sound((350, 900, 2300), 0.02, 0.0, 0.35, 1200.0),  # p
    Sound((350, 1800, 2600), 0.03, 0.0, 0.55, 4800.0),  # t
    Sound((350, 1600, 2300), 0.03, 0.0, 0.5, 2200.0),  # k
    Sound((350, 900, 2300), 0.012, 0.4, 0.2, 900.0),  # b
    Sound((350, 1800, 2600), 0.012, 0.4, 0.25, 4000.0),  # d
    Sound((350, 1600, 2300), 0.015, 0.4, 0.25, 2000.0),  # g
)
PAUSE = Sound((500, 1400, 2500), 0.35, 0.0)


def speak(rng: np.random.Generator, seconds: float) -> Samples:
    """Give (n,) float32 of somebody speaking, peak 1.

    Args:
        rng: chooses the syllables and the melody.
        seconds: how long.
    """
    sounds, melody = _script(rng, seconds)
    count = length(seconds)
    frames = count // HOP + 2 + FRAME // HOP
    starts = np.cumsum([0.0, *(sound.seconds for sound in sounds[:-1])])
    which = np.searchsorted(starts, np.arange(frames) * HOP / RATE, side="right") - 1
    tracks = np.array([(*s.formants_hz, s.voiced, s.hiss, np.log(s.hiss_hz)) for s in sounds])[which]
    tracks[:, :3] = _smooth(tracks[:, :3], 7)  # the tongue takes 40 ms
    tracks[:, 3:] = _smooth(tracks[:, 3:], 3)
    pulses = _pulses(rng, melody, count + FRAME * 2)
    breath = rng.standard_normal(len(pulses), dtype=np.float32)
    return _filter(pulses, breath, tracks, count)


def _script(rng: np.random.Generator, seconds: float) -> tuple[list[Sound], NDArray[np.float64]]:
    """Give the sounds at their final lengths, and the (time in s, relative pitch) points of the melody."""
    sounds: list[Sound] = []
    points = [(0.0, 1.0)]
    now = 0.0
    while now < seconds:
        syllables = int(rng.integers(5, 11))
        for number in range(syllables):
            accent = rng.random() < 0.4
            # Accents are long, and phrases end drawn out.
            lasts = SYLLABLE_S * float(rng.uniform(0.75, 1.25)) * (1.2 if accent else 0.9)
            lasts *= 1.35 if number == syllables - 1 else 1.0
            sounds += _syllable(rng, lasts)
            sinks = 1.18 - 0.36 * number / syllables  # the breath runs out, and the pitch with it
            lift = (1.22 if accent else 1.0) * float(rng.uniform(0.94, 1.06))
            points.append((now + 0.5 * lasts, sinks * lift))
            now += lasts
        pause_s = float(rng.uniform(0.25, 0.55))
        points.append((now, 0.78))
        sounds.append(PAUSE._replace(seconds=pause_s))
        now += pause_s
    return sounds, np.array(points)


def _syllable(rng: np.random.Generator, seconds: float) -> list[Sound]:
    """Give consonant, vowel, and sometimes a second vowel and a last consonant."""
    parts = [CLOSURE, _any(rng, BURSTS)] if rng.random() < 0.45 else [_any(rng, CONSONANTS)]
    parts.append(_any(rng, VOWELS))
    if rng.random() < 0.25:
        parts.append(_any(rng, VOWELS)._replace(seconds=0.06))
    if rng.random() < 0.35:
        parts.append(_any(rng, CONSONANTS))
    pace = seconds / sum(part.seconds for part in parts)
    return [part._replace(seconds=part.seconds * pace) for part in parts]


def _any(rng: np.random.Generator, sounds: tuple[Sound, ...]) -> Sound:
    return sounds[int(rng.integers(len(sounds)))]


def _pulses(rng: np.random.Generator, melody: NDArray[np.float64], count: int) -> Samples:
    """Give the glottal flow's derivative: a slow opening, a sharp closure, then rest (Rosenberg, 1971)."""
    clock = np.arange(count) / RATE
    knots = np.arange(0.0, clock[-1] + 0.02, 0.01)
    jitter = np.interp(clock, knots, 1.0 + 0.012 * rng.standard_normal(len(knots)))
    phase = np.cumsum(PITCH_HZ * jitter * np.interp(clock, melody[:, 0], melody[:, 1])) / RATE % 1.0
    opening, closing = 0.42, 0.14  # parts of a period
    falls = np.cos(0.5 * np.pi * (phase - opening) / closing)
    flow = np.where(
        phase < opening,
        0.5 - 0.5 * np.cos(np.pi * phase / opening),
        np.where(phase < opening + closing, falls, 0.0),
    )
    return (12.0 * np.diff(flow, prepend=0.0)).astype(np.float32)


def _filter(pulses: Samples, breath: Samples, tracks: NDArray[np.float64], count: int) -> Samples:
    """Send pulses and breath through the moving mouth."""
    frames = len(tracks)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
    starts = np.arange(frames)[:, np.newaxis] * HOP
    index = np.minimum(starts + np.arange(FRAME), len(pulses) - 1)
    hz = np.fft.rfftfreq(2 * FRAME, 1 / RATE)
    mouth = np.ones((frames, len(hz)), np.complex64)
    formants = np.column_stack((tracks[:, :3], np.full(frames, 3500.0), np.full(frames, 4500.0)))
    for centre, width in zip(formants.T, BANDWIDTHS_HZ, strict=True):
        # A resonator at its pole: |H| is 1 at 0 Hz, and the peak is as high as it is narrow.
        pole = -np.pi * width + 2j * np.pi * centre[:, np.newaxis]
        s = 2j * np.pi * hz
        mouth *= ((np.abs(pole) ** 2) / ((s - pole) * (s - np.conj(pole)))).astype(np.complex64)
    voiced, hiss, hiss_log = (tracks[:, column, np.newaxis] for column in (3, 4, 5))
    noise_band = np.exp(-np.square((np.log(np.maximum(hz, 50.0)) - hiss_log) / 0.35))
    spectrum = np.fft.rfft(pulses[index] * window, 2 * FRAME) * mouth * voiced.astype(np.float32)
    spectrum += np.fft.rfft(breath[index] * window, 2 * FRAME) * (0.12 * noise_band * hiss).astype(np.float32)
    pieces = np.fft.irfft(spectrum, 2 * FRAME)
    out = np.zeros(frames * HOP + 2 * FRAME, np.float32)
    for quarter in range(2 * FRAME // HOP):  # overlap-add, a column of pieces at a time
        part = pieces[:, quarter * HOP : (quarter + 1) * HOP].reshape(-1)
        out[quarter * HOP : quarter * HOP + len(part)] += part
    voice = equalise(out[FRAME // 2 : FRAME // 2 + count], *MICROPHONE)
    return voice / np.float32(np.abs(voice).max() + 1e-9)


def _smooth(tracks: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """Average each column over so many frames."""
    kernel = np.hanning(frames + 2)[1:-1]
    kernel /= kernel.sum()
    padded = np.pad(tracks, ((frames // 2, frames // 2), (0, 0)), mode="edge")
    return np.column_stack([np.convolve(column, kernel, "valid") for column in padded.T])
