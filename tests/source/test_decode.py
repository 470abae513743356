import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tones import cut, encode, formats_of, pitch_hz, samples_of, titles_of

from streamer.errors import BrokenAudioError, EmptyAudioError, NotAudioError
from streamer.flow import Block, SourceEvent
from streamer.source.blocks import MAX_BLOCK_VALUES
from streamer.source.decode import MAX_GARBAGE, StreamDecoder
from streamer.source.ogg_decode import comment_title

RATES = (44_100, 48_000)
STREAMS = ["mp3", "aac", "opus", "vorbis", "flac"]


def decode(pieces: list[bytes]) -> list[SourceEvent]:
    decoder = StreamDecoder(name="test")
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return [*events, *decoder.flush()]


@pytest.mark.parametrize(
    ("codec", "rate", "channels"),
    [
        *(
            (codec, rate, channels)
            for codec in ("mp3", "aac", "flac")
            for rate in RATES
            for channels in (1, 2)
        ),
        *(("opus", 48_000, channels) for channels in (1, 2)),  # Opus is always at 48 kHz
        *(("vorbis", rate, 2) for rate in RATES),  # FFmpeg's own Vorbis encoder knows stereo alone
    ],
)
def test_a_tone_keeps_pitch_level_and_length(codec: str, rate: int, channels: int) -> None:
    events = decode([encode(codec, rate=rate, channels=channels)])

    (said,) = formats_of(events)
    samples = samples_of(events)
    assert (said.codec, said.rate, said.channels) == (codec, rate, channels)
    assert samples.dtype == np.float32
    assert samples.shape[1] == channels
    assert abs(len(samples) / rate - 1.5) < 0.1
    middle = samples[rate // 4 : -rate // 4, 0]
    assert abs(pitch_hz(middle, rate) - 440) < 1
    level = np.sqrt(2 * np.mean(middle.astype(np.float64) ** 2))
    assert abs(level - 0.5) < 0.03  # LAME takes a little off


@settings(deadline=None, max_examples=15)
@given(codec=st.sampled_from(STREAMS), sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=6))
def test_any_chunking_gives_identical_samples(codec: str, sizes: list[int]) -> None:
    data = encode(codec, seconds=0.5, title="A title")

    whole, pieces = decode([data]), decode(cut(data, sizes))

    assert np.array_equal(samples_of(pieces), samples_of(whole))
    assert formats_of(pieces) == formats_of(whole)
    assert titles_of(pieces) == titles_of(whole)


def test_one_feed_gives_one_block() -> None:
    decoder = StreamDecoder(name="test")

    events = list(decoder.feed(encode("mp3")))

    assert sum(isinstance(event, Block) for event in events) == 1


def test_chained_ogg_gives_each_title_and_format_and_all_the_audio() -> None:
    chain = encode("opus", title="One") + encode("vorbis", rate=44_100, title="Two")
    chain += encode("flac", rate=44_100, title="Three")

    events = decode(cut(chain, [1000]))

    assert titles_of(events) == ["One", "Two", "Three"]
    assert [(f.codec, f.rate) for f in formats_of(events)] == [
        ("opus", 48_000), ("vorbis", 44_100), ("flac", 44_100)
    ]  # fmt: skip
    seconds = sum(len(event.samples) / event.rate for event in events if isinstance(event, Block))
    assert abs(seconds - 4.5) < 0.1


@pytest.mark.parametrize("codec", ["mp3", "aac"])
def test_a_rate_that_changes_on_the_way_is_a_new_format(codec: str) -> None:
    data = encode(codec, rate=44_100) + encode(codec, rate=48_000)

    events = decode(cut(data, [2000]))

    assert [said.rate for said in formats_of(events)] == [44_100, 48_000]
    rate = 0
    for event in events:
        rate = getattr(event, "rate", rate)
        if isinstance(event, Block):
            assert event.rate == rate


def test_channels_that_change_on_the_way_are_a_new_format() -> None:
    events = decode(cut(encode("mp3", channels=2) + encode("mp3", channels=1), [2000]))

    assert [said.channels for said in formats_of(events)] == [2, 1]


def test_a_stream_joined_in_mid_frame_is_found() -> None:
    for codec in ("mp3", "aac"):
        data = encode(codec)[2345:]

        samples = samples_of(decode(cut(data, [777])))

        assert len(samples) > 48_000
        assert abs(pitch_hz(samples[10_000:40_000, 0], 48_000) - 440) < 1


@pytest.mark.parametrize("size", [0, 100, 70_000, 3_000_000])
def test_an_id3_tag_of_any_length_is_passed_over(size: int) -> None:
    packed = bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127])
    tag = b"ID3\x04\x00\x00" + packed + b"\xff\xfb\x90\x64" * (size // 4)
    data = encode("aac")

    with_tag = decode(cut(tag + tag + data, [16_384]))

    assert np.array_equal(samples_of(with_tag), samples_of(decode([data])))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "a web page"),
        (b"Hello, this is a letter. " * 100, "text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "PNG"),
        (b"\x00\x00\x00\x20ftypM4A " + bytes(1000), "MP4"),
        (bytes(200_000), "no audio that is known"),
    ],
)
def test_what_is_no_audio_is_said_to_be_so(data: bytes, said: str) -> None:
    with pytest.raises(NotAudioError, match=said):
        decode(cut(data, [1000]))


def test_nothing_at_all_is_empty() -> None:
    with pytest.raises(EmptyAudioError):
        decode([])


@settings(max_examples=30, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(STREAMS))
def test_flipped_bits_never_give_anything_but_events_or_our_errors(random, codec: str) -> None:
    data = bytearray(encode(codec, seconds=0.5))
    for _ in range(40):
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)

    try:
        events = decode(cut(bytes(data), [1000]))
    except (NotAudioError, BrokenAudioError):
        return

    assert all(np.isfinite(event.samples).all() for event in events if isinstance(event, Block))


def test_noise_for_a_while_is_survived_and_noise_for_ever_is_an_error() -> None:
    rng = np.random.default_rng(6)
    noise = rng.integers(0, 250, MAX_GARBAGE * 3, dtype=np.uint8).tobytes()
    data = encode("mp3")

    survived = decode(cut(data + noise[:20_000] + data, [4096]))
    assert len(samples_of(survived)) > 2.5 * 48_000

    with pytest.raises(BrokenAudioError):
        decode(cut(data + bytes(len(noise)), [4096]))


def test_silence_packed_tightly_comes_in_bounded_blocks() -> None:
    data = encode("flac", level=0.0, seconds=60)

    blocks = [event for event in decode([data]) if isinstance(event, Block)]

    assert len(data) < 300_000
    assert max(block.samples.size for block in blocks) < 2 * MAX_BLOCK_VALUES
    assert sum(len(block.samples) for block in blocks) == 60 * 48_000


def test_ogg_of_a_codec_that_we_do_not_decode_is_refused() -> None:
    speex = b"Speex   1.2".ljust(80, b"\0")
    page = b"OggS\0\x02" + bytes(8) + b"\1\0\0\0" + bytes(8) + b"\1" + bytes([len(speex)]) + speex
    data = b"OggS\0\0" + bytes(8) + b"\1\0\0\0" + b"\1\0\0\0" + bytes(4) + b"\1" + b"\x0a" + bytes(10)

    with pytest.raises(NotAudioError, match="Ogg"):
        decode([page + data])


@given(st.binary(max_size=300))
def test_no_comment_header_fails(body: bytes) -> None:
    for magic in (b"\x03vorbis", b"OpusTags", b"\x84\0\0\0"):
        title = comment_title(magic + body)
        assert title is not None
        assert title.isprintable()
