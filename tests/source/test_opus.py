import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tones import encode

from streamer.source.ogg import OggReader
from streamer.source.opus import MAX_SAMPLES, opus_groups, opus_merge, opus_samples


def packets_of(**options) -> tuple[bytes, list[bytes]]:
    """Give the header and the audio packets of a tone."""
    head, _, *packets = [
        packet for page in OggReader().feed(encode("opus", **options)) for packet in page.packets
    ]
    return head, packets


def decode(head: bytes, packets: list[bytes]) -> np.ndarray:
    context = av.CodecContext.create("opus", "r")
    context.extradata = head
    frames = [frame.to_ndarray() for packet in packets for frame in context.decode(av.Packet(packet))]
    return np.concatenate(frames, axis=1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frame_ms", ["2.5", "5", "10", "20"])
def test_many_packets_made_one_give_the_same_samples(channels: int, frame_ms: str) -> None:
    head, packets = packets_of(channels=channels, options=(("frame_duration", frame_ms),), seconds=3.0)

    merged = [opus_merge(group) if mergeable else group[0] for group, mergeable in opus_groups(packets)]

    assert len(merged) < len(packets) / 5
    assert all(0 < opus_samples(packet) <= MAX_SAMPLES for packet in merged)
    assert np.array_equal(decode(head, merged), decode(head, packets))


def test_speech_is_decoded_packet_by_packet() -> None:
    _, packets = packets_of(options=(("application", "voip"), ("b", "16000")))

    assert list(opus_groups(packets)) == [(packets, False)]


@given(st.lists(st.binary(max_size=4), max_size=60))
def test_no_packet_is_left_out_or_moved_and_odd_ones_stay_as_they_are(packets: list[bytes]) -> None:
    groups = list(opus_groups(packets))

    assert [packet for group, _ in groups for packet in group] == packets
    for group, mergeable in groups:
        if mergeable:
            assert opus_samples(opus_merge(group)) == sum(map(opus_samples, group))


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"", 0),
        (bytes([31 << 3]), 960),
        (bytes([31 << 3 | 1]), 1920),
        (bytes([28 << 3 | 2]), 240),
        (bytes([12 << 3]), 480),
        (bytes([3 << 3]), 2880),
        (bytes([3 << 3 | 2]), 5760),
        (bytes([31 << 3 | 3, 6]), 5760),
        (bytes([31 << 3 | 3, 7]), 0),
        (bytes([31 << 3 | 3]), 0),
    ],
)
def test_an_opus_packet_says_how_long_it_lasts(packet: bytes, samples: int) -> None:
    assert opus_samples(packet) == samples
