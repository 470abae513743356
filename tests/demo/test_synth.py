"""Instruments do what their docstrings promise: pitch, length, filters, the mixing desk."""

import numpy as np
import pytest

from streamer.demo import instruments
from streamer.demo.grid import Grid
from streamer.demo.synth import (
    RATE,
    Mix,
    equalise,
    fast_size,
    length,
    master,
    noise,
    oscillate,
    pitch,
    pluck,
    wave,
)
from streamer.demo.voice import PITCH_HZ, speak


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def period_of(sound: np.ndarray, low_hz: float, high_hz: float) -> float:
    """Give the frequency in a range at which the sound is most like itself a period later."""
    spectrum = np.square(np.abs(np.fft.rfft(sound, 2 * len(sound))))
    likeness = np.fft.irfft(spectrum)
    shortest, longest = int(RATE / high_hz), int(RATE / low_hz)
    return RATE / (shortest + int(np.argmax(likeness[shortest:longest])))


@pytest.mark.parametrize("note", [28, 40, 52, 64, 76])
def test_a_plucked_string_is_in_tune(note: int) -> None:
    f_hz = pitch(note)

    heard_hz = period_of(pluck(rng(), f_hz, 0.8, ring=0.999), f_hz / 1.5, f_hz * 1.5)

    # A quarter of a semitone, or the sample that the measurement resolves.
    assert heard_hz == pytest.approx(f_hz, rel=max(0.0145, f_hz / RATE))


@pytest.mark.parametrize("f_hz", [55.0, 440.0, 3520.0])
def test_an_oscillator_gives_its_frequency_and_nothing_else(f_hz: float) -> None:
    tone = oscillate(wave(np.ones(1)), f_hz, 1.0)

    power = np.square(np.abs(np.fft.rfft(tone * np.hanning(len(tone)))))
    at = round(f_hz)
    assert power[at - 3 : at + 4].sum() / power.sum() > 0.99999


def test_equalise_takes_away_what_the_curve_says() -> None:
    low = oscillate(wave(np.ones(1)), 100.0, 1.0)
    high = oscillate(wave(np.ones(1)), 5000.0, 1.0)

    filtered = equalise(low + high, (900, -60), (1100, 0))

    np.testing.assert_allclose(filtered[2000:-2000], high[2000:-2000], atol=0.01)


def test_equalise_filters_each_channel_alone() -> None:
    stereo = np.column_stack((noise(rng(), 0.1), np.zeros(length(0.1), np.float32)))

    filtered = equalise(stereo, (500, 0), (1000, -20))

    np.testing.assert_allclose(filtered[:, 0], equalise(stereo[:, 0], (500, 0), (1000, -20)), atol=1e-6)
    assert np.abs(filtered[:, 1]).max() < 1e-6


@pytest.mark.parametrize("n", [1, 2, 3, 1000, 2**20 + 1])
def test_fast_size_is_enough(n: int) -> None:
    assert n <= fast_size(n) < 2 * n + 2


def test_a_mix_cuts_what_sounds_beyond_its_end() -> None:
    mix = Mix(1.0)

    mix.add(np.ones(length(2.0), np.float32), 0.5, pan=-1.0)
    mix.add(np.ones(length(2.0), np.float32), 3.0)

    assert not mix.samples[: length(0.5)].any()
    np.testing.assert_allclose(mix.samples[length(0.5) :, 0], 1.0)
    np.testing.assert_allclose(mix.samples[:, 1], 0.0, atol=1e-6)


def test_master_brings_the_level_that_was_asked_for() -> None:
    sound = np.column_stack((noise(rng(), 2.0), noise(rng(), 2.0)))

    final = master(sound, -20.0)

    assert 20 * np.log10(np.sqrt(np.mean(np.square(final)))) == pytest.approx(-20.0, abs=0.5)


def test_the_louder_an_amplifier_is_driven_the_denser_it_sounds() -> None:
    chord = instruments.electric_guitar(rng(), (40, 47, 52), 1.0, ring=0.999)

    def crest(sound: np.ndarray) -> float:
        return float(np.abs(sound).max() / np.sqrt(np.square(sound).mean()))

    assert crest(instruments.amplifier(chord, 30.0)) < crest(instruments.amplifier(chord, 0.1))


def test_a_voice_has_pauses_and_its_pitch() -> None:
    voice = speak(rng(), 10.0)

    frames = voice[: len(voice) // 882 * 882].reshape(-1, 882)  # 20 ms
    levels = 20 * np.log10(np.sqrt(np.square(frames).mean(axis=1)) + 1e-9)
    quiet = float(np.mean(levels < levels.max() - 40))
    assert 0.03 < quiet < 0.5, f"share of pauses: {quiet:.2f}"
    loudest = frames[max(0, int(levels.argmax()) - 3) : int(levels.argmax()) + 3].reshape(-1)
    assert 0.6 * PITCH_HZ < period_of(loudest, 0.5 * PITCH_HZ, 2 * PITCH_HZ) < 1.7 * PITCH_HZ


def test_a_grid_plays_what_is_written_in_the_pattern() -> None:
    grid = Grid(120, 4.0, rng())

    hits = [at_s for at_s, _ in grid.hits("X...x...o......." + "................")]

    assert hits == pytest.approx([0.0, 0.5, 1.0])


def test_swing_delays_every_second_step_alone() -> None:
    straight, swung = Grid(120, 2.0, rng()), Grid(120, 2.0, rng(), swing=0.4)

    late = [swung.at(0, step) - straight.at(0, step) for step in range(4)]

    assert late == pytest.approx([0.0, 0.05, 0.0, 0.05])
