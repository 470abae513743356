"""The mean stays probabilities, whatever the hop, the labels' order, the input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.decide.smooth import Mean

some = settings(max_examples=40, deadline=None)
rows = st.lists(st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4), min_size=1, max_size=30)
seeds = st.integers(0, 10_000)
EVEN = np.full(4, 0.25, np.float32)


def probabilities(row: list[float]) -> np.ndarray:
    """Give a row as probabilities: some of them may be 0."""
    p = np.array(row) + 1e-9
    return (p / p.sum()).astype(np.float32)


def pieces(seed: int) -> list[tuple[float, np.ndarray]]:
    """Give pieces of (seconds, probabilities)."""
    rng = np.random.default_rng(seed)
    return [(float(rng.choice([4.0, 8.0])), rng.dirichlet(np.ones(4)).astype(np.float32)) for _ in range(4)]


@some
@given(rows=rows, hop_s=st.floats(0.1, 3.0), sharpness=st.floats(0.5, 3.0))
def test_smoothed_probabilities_are_probabilities(rows, hop_s, sharpness):
    mean = Mean(2.0, sharpness)
    for row in rows:
        smoothed = mean.push(probabilities(row), hop_s)
        assert smoothed.sum() == pytest.approx(1.0, abs=1e-5)
        assert (smoothed > 0).all()


@some
@given(seed=seeds, hops=st.tuples(st.sampled_from([0.1, 0.25]), st.sampled_from([0.5, 1.0])))
def test_smoothing_is_in_seconds_whatever_the_hop(seed, hops):
    """To 1e-5, wherever both have heard the same seconds and windows said the same."""
    heard = []
    for hop_s in hops:
        mean, track = Mean(2.0, 1.5), []
        for seconds, p in pieces(seed):
            track += [mean.push(p, hop_s) for _ in range(round(seconds / hop_s))]
        heard.append(np.stack(track)[round(1.0 / hop_s) - 1 :: round(1.0 / hop_s)])

    assert np.abs(heard[0] - heard[1]).max() < 1e-5


@some
@given(seed=seeds)
def test_order_of_labels_means_nothing(seed):
    order = np.random.default_rng(seed).permutation(4)
    first, second = Mean(2.0), Mean(2.0)
    for _, p in pieces(seed):
        np.testing.assert_allclose(second.push(p[order], 0.5), first.push(p, 0.5)[order], atol=1e-6)


@some
@given(seed=seeds, label=st.integers(0, 3), more=st.floats(0.0, 1.0))
def test_more_evidence_for_a_label_never_lowers_it(seed, label, more):
    (_, before), (_, p), *_ = pieces(seed)
    plain, lifted = Mean(2.0), Mean(2.0)
    plain.push(before, 1.0)
    lifted.push(before, 1.0)
    raised = ((1 - more) * p + more * np.eye(4)[label]).astype(np.float32)

    assert lifted.push(raised, 1.0)[label] >= plain.push(p, 1.0)[label] - 1e-6


def test_windows_that_say_nothing_leave_everything_even():
    mean = Mean(2.0, 1.5)
    for _ in range(20):
        smoothed = mean.push(EVEN, 0.5)

    np.testing.assert_allclose(smoothed, 0.25, atol=1e-6)


def test_single_absurd_window_does_not_outweigh_what_was_heard():
    mean = Mean(2.0)
    for _ in range(40):
        mean.push(np.array([0.7, 0.1, 0.1, 0.1], np.float32), 0.5)
    smoothed = mean.push(np.array([0.0, 1.0, 0.0, 0.0], np.float32), 0.5)

    assert smoothed.argmax() == 0


def test_boundary_leaves_a_share_of_what_was_heard_and_reset_nothing():
    jazz, metal = np.array([0.7, 0.1, 0.1, 0.1], np.float32), np.array([0.1, 0.7, 0.1, 0.1], np.float32)
    after = {}
    for keeps in (0.0, 0.3, 1.0):
        mean = Mean(2.0, boundary_keeps=keeps)
        for _ in range(40):
            mean.push(jazz, 0.5)
        mean.boundary()
        after[keeps] = mean.push(metal, 1.5)
        mean.reset()
        np.testing.assert_allclose(mean.push(metal, 1.5), Mean(2.0).push(metal, 1.5), atol=1e-6)

    np.testing.assert_allclose(after[0.0], Mean(2.0).push(metal, 1.5), atol=1e-6)
    assert after[0.0][1] > after[0.3][1] > after[1.0][1]


def test_sharpness_makes_a_mean_surer_and_keeps_its_order():
    p = np.array([0.4, 0.3, 0.2, 0.1], np.float32)
    plain, sharp = Mean(2.0).push(p, 3.0), Mean(2.0, 2.0).push(p, 3.0)

    assert sharp[0] > plain[0]
    assert list(np.argsort(sharp)) == list(np.argsort(plain))


def test_many_filters_at_once_are_the_same_as_each_alone():
    half_lives = np.array([[1.0], [2.0], [4.0]])
    many, each = Mean(half_lives, 1.3), [Mean(float(half), 1.3) for half in half_lives[:, 0]]
    for _, p in pieces(3):
        together = many.push(p, 0.5)
        np.testing.assert_allclose(together, [mean.push(p, 0.5) for mean in each], atol=1e-6)
