"""Many packets at once are as many one by one, broken ones too."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_frames import audio, cut_frames, frames_of
from tones import cut, encode, samples_of

from streamer.flow import Block, SourceEvent
from streamer.source.blocks import MAX_BLOCK_VALUES
from streamer.source.decode import StreamDecoder
from streamer.source.packets import DECODERS, GROUP


def decode(pieces: list[bytes]) -> list[SourceEvent]:
    decoder = StreamDecoder(name="test")
    return [event for piece in pieces for event in decoder.feed(piece)]


def length_of(events: list[SourceEvent]) -> int:
    """How far the events go, in samples."""
    blocks = [event for event in events if isinstance(event, Block)]
    return sum(len(block.samples) + block.lost + block.skipped for block in blocks)


def lost_of(events: list[SourceEvent]) -> int:
    return sum(event.lost for event in events if isinstance(event, Block))


def tone(codec: str) -> list[bytes]:
    options = (("aac_pns", "0"),) if codec == "aac" else ()  # noise would differ each time it is decoded
    return frames_of(cut_frames(codec, [audio(codec, seconds=4.0, options=options)]))


def broken(frame: bytes) -> bytes:
    """A frame with its header and nothing sensible after it."""
    return frame[:7] + b"\xff" * (len(frame) - 7)


@pytest.mark.parametrize("codec", ["mp3", "aac"])
@pytest.mark.parametrize("channels", [1, 2])
def test_frames_in_groups_are_frames_one_by_one(codec: str, channels: int) -> None:
    data = audio(codec, seconds=4.0, channels=channels)
    context = av.CodecContext.create(DECODERS[codec], "r")
    singly = [
        frame.to_ndarray()
        for packet in frames_of(cut_frames(codec, [data]))
        for frame in context.decode(av.Packet(packet))
    ]

    grouped = samples_of(decode(cut(data, [10_000])))

    assert len(singly) > 2 * GROUP
    assert np.array_equal(grouped, np.concatenate(singly, axis=1).T)


@pytest.mark.parametrize("codec", ["mp3", "aac"])
@pytest.mark.parametrize("at", [50, 70, 71, 83, 95])
def test_a_broken_frame_takes_no_other_along(codec: str, at: int) -> None:
    frames = tone(codec)
    whole = decode(cut(b"".join(frames), [8000]))
    frames[at] = broken(frames[at])

    events = decode(cut(b"".join(frames), [8000]))

    assert length_of(events) == length_of(whole)
    assert lost_of(events) == {"mp3": 1152, "aac": 1024}[codec]
    assert np.array_equal(samples_of(events)[-20_000:], samples_of(whole)[-20_000:])


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(0, 100), max_size=20), st.lists(st.integers(200, 9000), min_size=1, max_size=4))
def test_broken_frames_are_lost_however_the_bytes_are_cut(which: list[int], sizes: list[int]) -> None:
    frames = tone("mp3")
    for at in which:
        frames[at] = broken(frames[at])
    data = b"".join(frames)

    whole, pieces = decode([data]), decode(cut(data, sizes))

    assert np.array_equal(samples_of(pieces), samples_of(whole))
    assert length_of(pieces) == length_of(whole)


def test_aac_with_something_between_its_frames_is_decoded_one_by_one() -> None:
    def stuffed(frame: bytes) -> bytes:
        size = len(frame) + 3
        header = bytearray(frame[:7])
        header[3] = header[3] & 0xFC | size >> 11
        header[4], header[5] = size >> 3 & 0xFF, header[5] & 0x1F | (size & 7) << 5
        return bytes(header) + frame[7:] + b"abc"

    frames = tone("aac")
    whole = samples_of(decode(cut(b"".join(frames), [8000])))

    events = decode(cut(b"".join(map(stuffed, frames)), [8000]))

    assert lost_of(events) == 0
    samples = samples_of(events)
    assert len(samples) == len(whole)
    differs = np.abs(samples - whole).max(axis=1) > 1e-6
    assert differs.sum() <= 2 * 1024  # the overlap of the frames that were tried as a group


def test_a_long_piece_comes_in_bounded_blocks() -> None:
    blocks = [event for event in decode([audio("mp3") * 30]) if isinstance(event, Block)]

    assert len(blocks) > 3
    assert max(block.samples.size for block in blocks) < 1.3 * MAX_BLOCK_VALUES


@pytest.mark.parametrize("codec", ["mp3", "aac", "opus", "vorbis", "flac"])
def test_blocks_are_planes_seen_from_the_side_and_may_be_written(codec: str) -> None:
    (block, *_) = [event for event in decode([encode(codec)]) if isinstance(event, Block)]

    assert block.samples.dtype == np.float32
    assert block.samples.shape[1] == 2
    block.samples[0, 0] = 1.0
