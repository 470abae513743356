"""What is passed over undecoded: counted to the sample, and nothing of it is heard in what follows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_frames import audio
from tones import cut, encode

from streamer.flow import Block
from streamer.source.decode import StreamDecoder
from streamer.source.skip import Skip

STREAMS = [("mp3", 44_100), ("mp3", 48_000), ("aac", 48_000), ("opus", 48_000)]
NO_NOISE = (("aac_pns", "0"),)  # what AAC says is noise is made by the decoder, another each time


def hear(data: bytes, skips: dict[int, list[float]], piece: int = 1000) -> list[Block]:
    """Decode piece by piece; ask to skip after some of them."""
    decoder = StreamDecoder(name="test")
    blocks = []
    for at, part in enumerate(cut(data, [piece])):
        blocks += [event for event in decoder.feed(part) if isinstance(event, Block)]
        for seconds in skips.get(at, []):
            decoder.skip(seconds)
    return blocks


def timeline(blocks: list[Block]) -> tuple[np.ndarray, int, int]:
    """Give samples where they belong, NaN where none are; how many were skipped, and lost."""
    parts = []
    for block in blocks:
        parts.append(np.full((block.lost + block.skipped, block.samples.shape[1]), np.nan, np.float32))
        parts.append(block.samples)
    return np.concatenate(parts), sum(b.skipped for b in blocks), sum(b.lost for b in blocks)


@pytest.mark.parametrize(("codec", "rate"), STREAMS)
def test_what_follows_a_skip_is_as_if_all_was_decoded(codec: str, rate: int) -> None:
    data = encode(codec, rate=rate, seconds=6.0, level=0.99, options=NO_NOISE if codec == "aac" else ())
    whole, _, _ = timeline(hear(data, {}))

    samples, skipped, lost = timeline(hear(data, {20: [1.0], 55: [0.8]}))

    assert lost == 0
    assert samples.shape == whole.shape
    assert abs(skipped - 1.8 * rate) < 4096  # whole packets
    assert np.nanmax(np.abs(samples - whole)) < 1e-3


@pytest.mark.parametrize("kbps_rate", [(44_100, 1), (16_000, 2)])
def test_mp3_is_exact_after_a_skip_however_full_its_reservoir(kbps_rate: tuple[int, int]) -> None:
    rate, channels = kbps_rate
    data = encode("mp3", rate=rate, channels=channels, seconds=6.0, level=0.99)
    whole, _, _ = timeline(hear(data, {}))

    samples, _, _ = timeline(hear(data, {10: [0.7], 30: [0.9]}))

    assert np.nanmax(np.abs(samples - whole)) == 0


@settings(deadline=None, max_examples=25)
@given(
    stream=st.sampled_from(STREAMS),
    skips=st.dictionaries(st.integers(5, 60), st.lists(st.floats(0, 2), min_size=1, max_size=3), max_size=4),
    pieces=st.integers(100, 5000),
)
def test_positions_are_the_same_whatever_is_skipped(
    stream: tuple[str, int], skips: dict[int, list[float]], pieces: int
) -> None:
    codec, rate = stream
    data = encode(codec, rate=rate, seconds=6.0)

    whole, samples = timeline(hear(data, {}, pieces))[0], timeline(hear(data, skips, pieces))[0]

    assert len(samples) == len(whole)


def test_no_more_is_skipped_than_asked_for_and_asking_again_adds_to_it() -> None:
    data = encode("mp3", seconds=6.0)

    _, once, _ = timeline(hear(data, {20: [2.0]}))
    _, twice, _ = timeline(hear(data, {20: [0.9, 0.2], 22: [0.9]}))
    _, nothing, _ = timeline(hear(data, {20: [0.0, -1.0]}))

    assert once == 2.0 * 48_000 // 1152 * 1152
    assert twice == once
    assert nothing == 0


def test_a_block_without_samples_says_what_was_skipped_where_nothing_was_heard() -> None:
    decoder = StreamDecoder(name="test")
    pieces = cut(encode("mp3", seconds=6.0), [8000])
    list(decoder.feed(pieces[0]))
    decoder.skip(3.0)

    (block,) = decoder.feed(pieces[1])

    assert block.samples.shape == (0, 2)
    assert block.samples.dtype == np.float32
    assert (block.rate, block.lost) == (48_000, 0)
    assert block.skipped > 20_000


def test_a_long_skip_is_no_garbage() -> None:
    data = audio("mp3") * 15

    blocks = hear(data, {2: [20.0]})

    assert len(data) > 300_000
    assert timeline(blocks)[1] > 19.9 * 48_000


@pytest.mark.parametrize("codec", ["vorbis", "flac"])
def test_codecs_whose_packets_vary_are_decoded_all_the_same(codec: str) -> None:
    data = encode(codec, seconds=3.0)

    assert timeline(hear(data, {10: [1.0]}))[1] == 0


def test_a_skip_goes_on_over_the_streams_of_an_ogg_chain() -> None:
    data = encode("opus", seconds=1.0) * 4

    _, skipped, _ = timeline(hear(data, {3: [2.5]}, 2000))

    assert abs(skipped - 2.5 * 48_000) < 4000


def test_a_new_rate_ends_no_skip_and_is_told_in_its_own_samples() -> None:
    data = encode("mp3", seconds=3.0) + audio("mp3", rate=44_100, seconds=3.0)

    blocks = hear(data, {25: [2.5]}, 1000)

    seconds = sum((len(block.samples) + block.skipped) / block.rate for block in blocks)
    whole = sum(len(block.samples) / block.rate for block in hear(data, {}))
    assert abs(seconds - whole) < 0.001
    assert abs(sum(block.skipped / block.rate for block in blocks) - 2.5) < 0.1


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.floats(0.0, 10.0))
def test_a_skip_is_split_the_same_however_packets_come(counts: list[int], seconds: float) -> None:
    total = sum(counts)
    at_once, bit_by_bit = Skip("mp3"), Skip("mp3")
    for skip in (at_once, bit_by_bit):
        skip.ask(seconds)

    whole = at_once.split(total, samples=1152, rate=44_100, size=417)
    parts = [bit_by_bit.split(count, samples=1152, rate=44_100, size=417) for count in counts]

    assert (sum(p for p, _ in parts), sum(w for _, w in parts)) == whole
