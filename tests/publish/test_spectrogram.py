"""A picture of frames: what is sent stands for what was heard, and is never large."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.publish.spectrogram import DB, RANGE_DB, draw


def seen(frames: np.ndarray, seconds: float) -> np.ndarray:
    columns, floor_db, step_db, data = draw(frames, seconds)
    return floor_db + step_db * np.frombuffer(data, np.uint8).reshape(columns, frames.shape[1])


def test_each_column_is_the_mean_of_its_frames():
    frames = np.random.default_rng(0).normal(size=(64, 96)).astype(np.float32)

    drawn = seen(frames[:60], 1.0)

    assert drawn == pytest.approx(frames[:60].reshape(10, 6, 96).mean(axis=1) * DB, abs=0.1)


def test_what_is_far_below_the_loudest_is_cut_off():
    frames = np.zeros((10, 4), np.float32)
    frames[:, 0] = -1000.0

    assert seen(frames, 0.1)[0] == pytest.approx([-RANGE_DB, 0, 0, 0], abs=0.1)


@given(st.integers(1, 400), st.floats(0.0, 4.0), st.integers(1, 128))
def test_it_is_never_more_than_ten_columns_a_second_and_one(count, seconds, bands):
    columns, _, step_db, data = draw(np.ones((count, bands), np.float32), seconds)

    assert 1 <= columns <= max(10 * seconds + 0.5, 1)
    assert len(data) == columns * bands
    assert step_db == 0.0
