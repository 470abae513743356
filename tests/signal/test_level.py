"""The level is taken off each frame as it comes: nothing behind the front end hears how loud a source is."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.signal.mel import QUIETEST, MelStream
from tests.tiny_model import FRONT_END

LEVELLED = msgspec.structs.replace(FRONT_END, normalisation="level", level_half_life_s=4.0, log_offset=1e-9)
RATE = LEVELLED.sample_rate


def noise(seconds: float, amplitude: float = 0.1, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (amplitude * random.standard_normal(round(seconds * RATE))).astype(np.float32)


def frames(samples: np.ndarray) -> np.ndarray:
    return MelStream(LEVELLED).push(samples)[0]


@settings(deadline=None, max_examples=20)
@given(st.floats(-40.0, 6.0))
def test_gain_changes_nothing(db: float) -> None:
    samples = noise(2.0)

    difference = np.abs(frames(samples) - frames(samples * np.float32(10 ** (db / 20)))).max()

    assert difference < 1e-2, difference


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=12))
def test_blocks_of_any_size_give_the_same_frames_to_the_bit(sizes: list[int]) -> None:
    samples = noise(3.0)
    stream, parts, start = MelStream(LEVELLED), [], 0
    for size in sizes:
        parts.append(stream.push(samples[start : start + size])[0])
        start += size
    parts.append(stream.push(samples[start:])[0])

    np.testing.assert_array_equal(np.concatenate(parts), frames(samples))


def test_change_of_level_is_heard_and_then_forgotten() -> None:
    louder = np.concatenate((noise(20.0, 0.01), noise(20.0, 0.1, seed=2)))

    means = frames(louder).mean(axis=1)

    per_s = round(1 / LEVELLED.frame_s)
    before, at, after = (means[s * per_s : (s + 1) * per_s].mean() for s in (18, 20, 38))
    assert at - before > 1.0  # a passage that is louder by 20 dB stands out at first
    assert after == pytest.approx(before, abs=0.15)


def test_what_lies_in_the_future_changes_nothing() -> None:
    samples = noise(3.0)
    longer = np.concatenate((samples, noise(3.0, 1.0)))

    given_now = frames(samples)

    np.testing.assert_array_equal(frames(longer)[: len(given_now)], given_now)


def test_silence_is_not_made_loud() -> None:
    silent = frames(np.zeros(2 * RATE, np.float32))

    floor = np.log(np.float32(LEVELLED.log_offset)) - np.log(np.float32(QUIETEST))
    np.testing.assert_allclose(silent, floor, atol=1e-5)
