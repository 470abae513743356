"""An MP4 segment can't have memory made for samples that it doesn't hold."""

import io
import time

import av
import pytest
from tones import encode

from streamer.errors import BrokenAudioError
from streamer.source.mp4 import MAX_SAMPLES, claimed_samples
from streamer.source.segment import demux


def box(name: bytes, *numbers: int, size: int | None = None) -> bytes:
    body = b"".join(number.to_bytes(4) for number in numbers)
    return (8 + len(body) if size is None else size).to_bytes(4) + name + body


def fragments() -> bytes:
    """Give AAC in fragmented MP4, as HLS has it."""
    file = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov"}
    with av.open(io.BytesIO(encode("m4a"))) as whole, av.open(file, "w", "mp4", options=options) as container:
        track = container.add_stream_from_template(whole.streams.audio[0])
        for packet in whole.demux(audio=0):
            if packet.size:
                packet.stream = track
                container.mux(packet)
    return file.getvalue()


def test_real_segments_claim_what_they_hold() -> None:
    data = fragments()

    assert claimed_samples(data) == len(demux(data, None, name="test").packets) > 50


@pytest.mark.parametrize(
    "table",
    [
        box(b"trun", 0, 2**31),
        box(b"stsz", 0, 1, 2**31),
        box(b"stts", 0, 2, 1, 1, 2**31, 1),
        box(b"ctts", 0, 1, 2**31, 1),
        box(b"trun", 0, MAX_SAMPLES // 2 + 1) * 2,
        box(b"moof") + box(b"free", size=0) + box(b"trun", 0, 2**31),
        box(b"stts", 0, 2**31, 2**31, 1),
    ],
)
def test_a_table_that_claims_too_much_is_refused_wherever_it_lies(table: bytes) -> None:
    for data in (table, box(b"moov", size=8 + len(table)) + table, box(b"free") + b"\0\0\0\7" + table):
        assert claimed_samples(data) > MAX_SAMPLES
    with pytest.raises(BrokenAudioError):
        demux(fragments() + table, None, name="test")


@pytest.mark.parametrize(
    "piece", [b"ctts", b"ctts" + bytes(12), b"stts\0\0\0\0\x7f\xff\xff\xff", b"trun" + bytes(12)]
)
def test_tables_within_tables_take_no_time_by_their_square(piece: bytes) -> None:
    begun = time.process_time()

    claimed_samples(box(b"free") + piece * (1_000_000 // len(piece)))

    assert time.process_time() - begun < 1.0


def test_a_box_of_any_size_is_walked_past() -> None:
    assert claimed_samples(b"\0\0\0\1free" + b"\xff" * 8 + box(b"trun", 0, 5)) == 5
    assert claimed_samples(b"\0\0\0\1mdat" + b"\xff" * 8 + box(b"trun", 0, 5)) == 0


def test_what_audio_looks_like_is_no_claim() -> None:
    assert claimed_samples(box(b"mdat", size=100) + box(b"trun", 0, 2**31)) == 0
    assert claimed_samples(box(b"mdat", size=8) + box(b"trun", 0, 2**31)) == 2**31
