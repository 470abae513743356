"""Samples in, windows out: the same whatever the block sizes, and dated exactly."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.flow import Block, Window
from streamer.signal.conform import Conform
from streamer.signal.front_end import FrontEndStream
from streamer.signal.mel import MelStream
from tests.tiny_model import FRONT_END

RATES = [8_000, 16_000, 22_050, 44_100, 48_000, 96_000]


def sound(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Give (n, channels) of noise over a tone."""
    n = int(seconds * rate)
    tone = np.sin(2 * np.pi * 440 * np.arange(n) / rate)
    noise = np.random.default_rng(seed).normal(size=(n, channels))
    return (0.1 * tone[:, None] + 0.05 * noise).astype(np.float32)


def windows(
    samples: np.ndarray, rate: int, cuts: list[int], lost: dict[int, int], hop_s: float
) -> list[Window]:
    """Push samples cut at `cuts`; at the sample indices in `lost` some are missing before."""
    stream = FrontEndStream(FRONT_END, hop_s)
    edges = sorted({0, len(samples), *lost, *(cut for cut in cuts if cut < len(samples))})
    out = []
    for start, stop in itertools.pairwise(edges):
        out += stream.push(Block(samples[start:stop], rate, lost.get(start, 0)))
    return out + stream.flush()


def assert_same(some: list[Window], others: list[Window], tolerance: float) -> None:
    assert [(w.end, w.gap) for w in some] == [(w.end, w.gap) for w in others]
    for one, other in zip(some, others, strict=True):
        assert np.abs(one.frames - other.frames).max() <= tolerance
        assert one.level_dbfs == pytest.approx(other.level_dbfs, abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from(RATES),
    channels=st.sampled_from([1, 2, 6]),
    blocks=st.lists(st.one_of(st.integers(1, 2000), st.integers(1, 1_000_000)), min_size=1, max_size=40),
    gaps=st.lists(st.tuples(st.floats(0.1, 0.9), st.integers(1, 400_000)), max_size=2),
    hop_s=st.sampled_from([0.1, 0.25, 0.5, 1.0, 3.0]),
)
def test_chunking(rate, channels, blocks, gaps, hop_s):
    samples = sound(7.0, rate, channels)
    lost = {int(where * len(samples)): n for where, n in gaps}
    cuts = list(np.cumsum(blocks))

    whole = windows(samples, rate, [], lost, hop_s)
    cut = windows(samples, rate, cuts, lost, hop_s)

    assert whole
    assert_same(whole, cut, 0.0 if rate == FRONT_END.sample_rate else 1e-6)


def test_single_samples():
    samples = sound(1.2, 16_000)

    assert_same(
        windows(samples, 16_000, [], {}, 1.0), windows(samples, 16_000, list(range(19_200)), {}, 1.0), 0.0
    )


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 30_000), max_size=30))
def test_mel_frames_are_the_same_to_the_bit(cuts):
    samples = sound(2.0, 16_000)[:, 0]
    whole, powers = MelStream(FRONT_END).push(samples)
    stream = MelStream(FRONT_END)
    edges = sorted({0, *cuts, len(samples)})

    parts = [stream.push(samples[a:b]) for a, b in itertools.pairwise(edges)]

    np.testing.assert_array_equal(whole, np.concatenate([frames for frames, _ in parts]))
    np.testing.assert_array_equal(powers, np.concatenate([p for _, p in parts]))


def test_frame_k_covers_its_samples_and_no_more():
    samples = sound(1.0, 16_000)[:, 0]
    frames, _ = MelStream(FRONT_END).push(samples)
    k = 5
    alone, _ = MelStream(FRONT_END).push(samples[k * 400 : k * 400 + 1024])

    assert len(frames) == (len(samples) - 1024) // 400 + 1
    np.testing.assert_allclose(frames[k], alone[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate", RATES)
def test_positions_are_exact_after_a_month(rate):
    stream = FrontEndStream(FRONT_END, 1.0)
    month = 30 * 86_400 * rate + 7  # not a whole number of hops
    quiet = np.zeros((rate, 1), np.float32)

    stream.push(Block(quiet, rate))
    got = stream.push(Block(np.concatenate([quiet] * 5), rate, lost=month))

    began = round((rate + month) * FRONT_END.sample_rate / rate)
    assert got[0].end == began + FRONT_END.window_samples
    assert stream.position_s == pytest.approx((6 * rate + month) / rate, abs=1e-6)


def test_thousands_of_rate_changes_do_not_drift():
    stream = FrontEndStream(FRONT_END, 1.0)
    for _ in range(1_500):  # no number of samples at 16 kHz is whole for these
        stream.push(Block(np.zeros((4447, 1), np.float32), 44_100))
        stream.push(Block(np.zeros((4801, 1), np.float32), 48_000))
        last = stream.push(Block(np.zeros((2221, 1), np.float32), 22_050))
    got = stream.push(Block(np.zeros((22_050, 1), np.float32), 22_050))

    heard_s = stream.position_s
    assert heard_s == pytest.approx(1_500 * (4447 / 44_100 + 4801 / 48_000 + 2221 / 22_050) + 1.0)
    behind_s = heard_s - ((got or last)[-1].end / 16_000)
    assert 0 <= behind_s < 1.1


def test_mixed_rates_channels_and_gaps_are_the_same_however_they_are_cut():
    rng = np.random.default_rng(3)
    for _ in range(20):
        parts = []
        for seed in range(6):
            rate, channels = int(rng.choice(RATES)), int(rng.choice([1, 2, 3]))
            lost = int(rng.choice([0, 0, 0, 500, 90_000]))
            parts.append(Block(sound(rng.uniform(0.2, 3.0), rate, channels, seed), rate, lost))
        whole, cut = FrontEndStream(FRONT_END, 0.5), FrontEndStream(FRONT_END, 0.5)
        one, other = [], []
        for part in parts:
            one += whole.push(part)
            at = 0
            while at < len(part.samples):
                n = int(rng.integers(1, 20_000))
                other += cut.push(Block(part.samples[at : at + n], part.rate, 0 if at else part.lost))
                at += n

        assert_same(one + whole.flush(), other + cut.flush(), 1e-6)


def test_windows_come_every_hop():
    ends = [w.end for w in windows(sound(10.0, 16_000), 16_000, [], {}, 0.5)][:-1]

    assert ends[0] == FRONT_END.window_samples
    assert set(np.diff(ends)) == {8_000}


def test_short_gap_is_flagged_until_it_has_left_the_window():
    got = windows(sound(12.0, 16_000), 16_000, [], {5 * 16_000: 100}, 1.0)

    flagged = [w.end / 16_000 for w in got if w.gap]
    assert [round(end) for end in flagged] == [6, 7]


def test_gap_as_long_as_a_window_starts_a_new_one():
    got = windows(sound(10.0, 16_000), 16_000, [], {5 * 16_000: 60 * 16_000}, 1.0)

    ends = [w.end / 16_000 for w in got]
    assert not any(w.gap for w in got)
    assert not any(5.0 < end < 67.9 for end in ends)


@pytest.mark.parametrize(
    ("seconds", "count"), [(0.5, 0), (0.98, 0), (1.0, 1), (2.5, 1), (3.0, 1), (3.2, 1), (4.5, 2)]
)
def test_flush_fills_a_window_from_short_audio(seconds, count):
    got = windows(sound(seconds, 16_000), 16_000, [], {}, 3.0)

    assert len(got) == count
    assert all(w.frames.shape == (118, 80) for w in got)


def test_level_is_rms_in_dbfs():
    n = 4 * 16_000
    sine = np.sin(2 * np.pi * 1000 * np.arange(n) / 16_000)[:, None].astype(np.float32)

    loud = windows(sine, 16_000, [], {}, 1.0)[0]
    quiet = windows(np.zeros((n, 1), np.float32), 16_000, [], {}, 1.0)[0]

    assert loud.level_dbfs == pytest.approx(-3.01, abs=0.01)
    assert quiet.level_dbfs is None
    assert quiet.recent_dbfs is None


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 192_000])
def test_conform_keeps_a_tone_where_it_is(rate):
    n = 2 * rate
    tone = np.sin(2 * np.pi * 1000 * np.arange(n) / rate)[:, None].astype(np.float32)
    conform = Conform(16_000)

    out = np.concatenate([conform.push(tone, rate), conform.flush()])

    assert abs(len(out) - 32_000) <= 1
    expected = np.sin(2 * np.pi * 1000 * np.arange(len(out)) / 16_000)
    assert np.abs(out[2000:-2000] - expected[2000:-2000]).max() < 2e-3


def test_conform_mixes_channels_down():
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.1)], axis=1).astype(np.float32)

    np.testing.assert_allclose(Conform(16_000).push(stereo, 16_000), 0.2, atol=1e-7)


def test_what_lies_above_the_new_nyquist_is_gone():
    rate = 48_000
    tone = np.sin(2 * np.pi * 12_000 * np.arange(2 * rate) / rate)[:, None].astype(np.float32)
    conform = Conform(16_000)

    out = np.concatenate([conform.push(tone, rate), conform.flush()])

    assert np.abs(out[2000:-2000]).max() < 1e-3
