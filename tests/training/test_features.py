"""What the baselines hear of a window: named, finite, and the same at any level."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.features import features
from training.recipe import read_recipe

pytestmark = pytest.mark.training

FRONT_END = read_recipe("smoke").front_end


def windows(seed: int, count: int = 2) -> np.ndarray:
    random = np.random.default_rng(seed)
    tilt = random.normal(0, 1, (count, 1, FRONT_END.n_mels)).cumsum(axis=2)
    noise = random.normal(0, 2, (count, FRONT_END.n_frames, FRONT_END.n_mels))
    return (tilt + noise).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), gain_db=st.floats(-35, 35))
def test_a_gain_changes_no_feature(seed: int, gain_db: float) -> None:
    quiet = windows(seed)
    loud = quiet + np.float32(gain_db * np.log(10) / 10)

    columns, before = features(quiet, FRONT_END)
    _, after = features(loud, FRONT_END)

    # Roll-off and tempo are places on a grid: rounding can move them by a step where two are level.
    steps = [c.name.startswith(("roll-off", "tempo")) for c in columns]
    off = np.abs(before - after) > 1e-3 * (1 + np.abs(before))
    assert not off[:, np.logical_not(steps)].any(), [columns[i].name for i in np.flatnonzero(off.any(axis=0))]


def test_features_have_names_of_their_own() -> None:
    columns, values = features(windows(1), FRONT_END)

    assert values.shape == (2, len(columns))
    assert len({column.name for column in columns}) == len(columns)
    assert {"spectrum", "cepstra", "onsets", "rhythm", "modulation"} <= {c.family for c in columns}


def test_silence_has_features() -> None:
    silence = np.full((1, FRONT_END.n_frames, FRONT_END.n_mels), np.log(FRONT_END.log_offset), np.float32)

    _, values = features(silence, FRONT_END)

    assert np.isfinite(values).all()


def test_a_beat_is_found_at_its_tempo() -> None:
    period = round(0.5 / FRONT_END.frame_s)  # 120 beats a minute
    beat = windows(1, 1) * 0.05
    beat[:, ::period] += 8.0

    columns, values = features(beat, FRONT_END)

    at = {column.name: value for column, value in zip(columns, values[0], strict=True)}
    assert 2 ** at["tempo in octaves, all"] == pytest.approx(120, rel=0.03)
    assert at["strength of the beat, all"] > 0.5
