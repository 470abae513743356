"""Effects do to sound what their names say, and nothing else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training import effects
from training.views import RATE, make_view

pytestmark = pytest.mark.training

T = np.arange(4 * RATE) / RATE


def tone(hz: float, amplitude: float = 0.3) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * hz * T)).astype(np.float32)


def loudest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


def level_db(samples: np.ndarray, hz: float) -> float:
    """Give the level of a narrow band around a frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) / len(samples)
    at = round(hz * len(samples) / RATE)
    return float(20 * np.log10(spectrum[at - 8 : at + 9].max()))


@settings(deadline=None, max_examples=20)
@given(st.floats(-60.0, 20.0))
def test_gain_is_of_16_bits(db: float) -> None:
    out = effects.gain(tone(440), db)

    assert np.abs(out).max() <= 1.0
    np.testing.assert_allclose(out * 32767, np.round(out * 32767), atol=1e-2)


def test_low_pass_takes_what_is_above_and_leaves_what_is_below() -> None:
    both = tone(500) + tone(9000)

    out = effects.low_pass(both, RATE, 4000)

    assert level_db(out, 9000) - level_db(both, 9000) < -40
    assert abs(level_db(out, 500) - level_db(both, 500)) < 0.5


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.04])
def test_tempo_changes_the_length_and_not_the_pitch(factor: float) -> None:
    out = effects.tempo(tone(440), RATE, factor)

    assert len(out) == pytest.approx(len(T) / factor, rel=0.02)
    assert loudest_hz(out) == pytest.approx(440, abs=3)


def test_pitch_changes_the_pitch_and_not_the_length() -> None:
    out = effects.pitch(tone(440), RATE, 1.0)

    assert len(out) == pytest.approx(len(T), rel=0.02)
    assert loudest_hz(out) == pytest.approx(440 * 2 ** (1 / 12), abs=3)


@pytest.mark.parametrize(("name", "kbps"), [("mp3", 48), ("aac", 48), ("opus", 32)])
def test_codec_keeps_the_tune_and_about_the_length(name: str, kbps: int) -> None:
    out = effects.codec(tone(440), RATE, name, kbps)

    assert abs(len(out) - len(T)) < 0.1 * RATE
    assert loudest_hz(out) == pytest.approx(440, abs=2)
    assert abs(level_db(out, 440) - level_db(tone(440), 440)) < 1.0


def test_low_bitrate_is_heard() -> None:
    hiss = effects.noise(len(T), "white", np.random.default_rng(1))

    out = effects.codec(hiss, RATE, "mp3", 32)

    assert level_db(out, 10_500) - level_db(hiss, 10_500) < -20


@settings(deadline=None, max_examples=20)
@given(st.floats(-10.0, 30.0))
def test_mix_keeps_the_ratio_and_does_not_clip(snr_db: float) -> None:
    out = effects.mix(tone(440), tone(2000, 0.9)[: RATE // 2], snr_db)

    assert np.abs(out).max() <= 1.0
    assert level_db(out, 440) - level_db(out, 2000) == pytest.approx(snr_db, abs=0.7)


def test_compressor_levels_loud_and_quiet() -> None:
    loud, quiet = tone(440, 0.8), tone(440, 0.08)
    both = np.concatenate((loud, quiet))

    out = effects.compress(both, RATE, 4.0)

    half = len(out) // 2
    after = level_db(out[RATE:half], 440) - level_db(out[half + RATE :], 440)
    assert after < 15.0  # it was 20 dB


def test_view_is_seeded_and_says_what_was_mixed_in() -> None:
    def partner(random: np.random.Generator) -> tuple[str, str, np.ndarray]:
        return "speech", "a speaker", tone(float(random.uniform(100, 200)))

    views = [make_view(tone(440), "jazz", partner, np.random.default_rng(seed)) for seed in range(20)]
    again = make_view(tone(440), "jazz", partner, np.random.default_rng(3))

    np.testing.assert_array_equal(views[3][0], again[0])
    assert {also for _, also in views} == {"", "a speaker"}
    assert all(np.isfinite(heard).all() for heard, _ in views)
    spoken = [level_db(heard, 150) for heard, also in views if also]
    assert np.median(spoken) > np.median([level_db(heard, 150) for heard, also in views if not also])
