"""The two filters: means and beliefs stay probabilities, whatever the hop, the labels' order, the input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from streamer.decide.smooth import Belief, Mean
from tests.tiny_model import DECISION, LABELS, contract

some = settings(max_examples=25, deadline=None)
rows = st.lists(st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4), min_size=1, max_size=30)
seeds = st.integers(0, 10_000)
hop_pairs = st.tuples(st.sampled_from([0.1, 0.25]), st.sampled_from([0.5, 1.0]))


def probabilities(row: list[float]) -> np.ndarray:
    """Give a row as probabilities: some of them may be 0."""
    p = np.array(row) + 1e-9
    return (p / p.sum()).astype(np.float32)


def pieces(seed: int) -> list[tuple[float, np.ndarray]]:
    """Give pieces of (seconds, probabilities)."""
    rng = np.random.default_rng(seed)
    return [(float(rng.choice([4.0, 8.0])), rng.dirichlet(np.ones(4)).astype(np.float32)) for _ in range(4)]


@some
@given(rows=rows, hop_s=st.floats(0.1, 3.0))
def test_filtered_probabilities_are_probabilities(rows, hop_s):
    mean, belief = Mean(2.0, 1.3), Belief.of(contract())
    for row in rows:
        for filtered in (
            mean.push(probabilities(row), hop_s),
            belief.push(probabilities(row), hop_s),
        ):
            assert filtered.sum() == pytest.approx(1.0, abs=1e-5)
            assert (filtered >= 0).all()
            assert np.isfinite(filtered).all()


@some
@given(seed=seeds, hops=hop_pairs)
def test_mean_is_in_seconds_whatever_the_hop(seed, hops):
    ends = []
    for hop_s in hops:
        mean = Mean(2.0)
        for seconds, p in pieces(seed):
            for _ in range(round(seconds / hop_s)):
                smoothed = mean.push(p, hop_s)
        ends.append(smoothed)

    assert np.abs(ends[0] - ends[1]).max() < 1e-5


@some
@given(seed=seeds, hops=hop_pairs)
def test_belief_is_in_seconds_whatever_the_hop(seed, hops):
    """To 0.05 wherever both have heard the same seconds, also in the middle of a change."""
    tracks = []
    for hop_s in hops:
        belief, heard = Belief.of(contract()), []
        for seconds, p in pieces(seed):
            for at in range(round(seconds / hop_s)):
                held = belief.push(p, hop_s)
                if abs((at + 1) * hop_s % 1.0) < 1e-9 or abs((at + 1) * hop_s % 1.0 - 1.0) < 1e-9:
                    heard.append(held)
        tracks.append(np.stack(heard))

    assert np.abs(tracks[0] - tracks[1]).max() < 0.05


@some
@given(seed=seeds)
def test_order_of_labels_means_nothing(seed):
    order = np.random.default_rng(seed).permutation(4)
    swapped = replace(contract(), labels=tuple(LABELS[i] for i in order))
    first, second = Belief.of(contract()), Belief.of(swapped)
    for _, p in pieces(seed):
        np.testing.assert_allclose(second.push(p[order], 0.5), first.push(p, 0.5)[order], atol=1e-9)


@some
@given(seed=seeds, label=st.integers(0, 3), more=st.floats(0.0, 1.0))
def test_more_evidence_for_a_label_never_lowers_it(seed, label, more):
    (_, before), (_, p), *_ = pieces(seed)
    raised = (1 - more) * p + more * np.eye(4, dtype=np.float32)[label]
    for filtered in (lambda: Mean(2.0), lambda: Belief.of(contract())):
        plain, lifted = filtered(), filtered()
        for one, last in ((plain, p), (lifted, raised)):
            one.push(before, 1.0)
            one.end = one.push(last, 1.0)[label]
        assert lifted.end >= plain.end - 1e-6


def test_windows_that_say_nothing_leave_everything_even():
    belief, even = Belief.of(contract()), np.full(4, 0.25, np.float32)
    for _ in range(20):
        held = belief.push(even, 0.5)

    np.testing.assert_allclose(held, 0.25, atol=1e-9)


def test_single_absurd_window_does_not_outweigh_what_was_heard():
    belief = Belief.of(contract())
    jazz = np.array([0.7, 0.1, 0.1, 0.1], np.float32)
    for _ in range(40):
        belief.push(jazz, 0.5)
    held = belief.push(np.array([0.0, 1.0, 0.0, 0.0], np.float32), 0.5)

    assert held.argmax() == 0


def test_boundary_makes_other_labels_likelier_and_reset_makes_all_even():
    belief = Belief.of(replace(contract(), decision=replace(DECISION, boundary_change=0.8)))
    for _ in range(40):
        held = belief.push(np.array([0.7, 0.1, 0.1, 0.1], np.float32), 0.5)
    belief.boundary()
    even = np.full(4, 0.25, np.float32)
    bounded = belief.push(even, 1e-6)
    belief.reset()

    np.testing.assert_allclose(bounded, 0.2 * held + 0.2, atol=1e-4)
    np.testing.assert_allclose(belief.push(even, 1e-6), 0.25, atol=1e-6)


def test_evidence_between_kinds_and_between_genres_counts_apart():
    """Twice the evidence between kinds moves speech against music, not one genre against another."""
    p = np.array([0.5, 0.2, 0.2, 0.1], np.float32)
    once = Belief.of(replace(contract(), decision=replace(DECISION, evidence=0.5, kind_evidence=0.5))).push(
        p, 3.0
    )
    twice = Belief.of(replace(contract(), decision=replace(DECISION, evidence=0.5, kind_evidence=1.0))).push(
        p, 3.0
    )

    assert twice[0] / twice[1] == pytest.approx(once[0] / once[1], rel=1e-2)
    assert twice[2] / twice[:2].sum() < once[2] / once[:2].sum()


def test_sharpness_makes_a_mean_surer_and_keeps_its_order():
    p = np.array([0.4, 0.3, 0.2, 0.1], np.float32)
    plain, sharp = Mean(2.0).push(p, 3.0), Mean(2.0, 1.5).push(p, 3.0)

    assert sharp[0] > plain[0]
    assert list(np.argsort(sharp)) == list(np.argsort(plain))
