import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tones import cut, encode

from streamer.source.frames import FrameCutter, Run

CODECS = ["mp3", "aac"]


def cut_frames(codec: str, pieces: list[bytes]) -> list[Run]:
    cutter = FrameCutter(codec)
    runs = [run for piece in pieces for run in cutter.feed(piece)]
    return [*runs, *cutter.feed(b"", final=True)]


def frames_of(runs: list[Run]) -> list[bytes]:
    frames = []
    for run in runs:
        at = 0
        for size in run.sizes:
            frames.append(run.data[at : at + size])
            at += size
    return frames


def audio(codec: str, **options) -> bytes:
    """A stream without the tag that its container begins with."""
    data = encode(codec, **options)
    return data[data.index(b"\xff") :]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("channels", [1, 2])
def test_frames_are_those_that_ffmpeg_finds(codec: str, channels: int) -> None:
    data = audio(codec, channels=channels)
    parser = av.CodecContext.create(codec, "r")
    packets = [bytes(packet) for packet in [*parser.parse(data), *parser.parse(None)]]

    (run,) = cut_frames(codec, [data])

    assert frames_of([run]) == packets
    assert (run.data, run.lost, run.fresh) == (data, 0, True)


@settings(deadline=None, max_examples=30)
@given(
    codec=st.sampled_from(CODECS),
    sizes=st.lists(st.integers(1, 3000), min_size=1, max_size=6),
    noise=st.lists(st.binary(max_size=2000), max_size=3),
)
def test_any_chunking_gives_the_same_frames(codec: str, sizes: list[int], noise: list[bytes]) -> None:
    data = audio(codec, seconds=0.3)
    stream = (
        b"".join(data[:-100] + rubbish for rubbish in noise) + data + audio(codec, rate=44_100, seconds=0.3)
    )

    whole, pieces = cut_frames(codec, [stream]), cut_frames(codec, cut(stream, sizes))

    assert frames_of(pieces) == frames_of(whole)
    assert sum(run.lost for run in pieces) == sum(run.lost for run in whole)


@pytest.mark.parametrize("codec", CODECS)
def test_what_stands_for_frames_is_counted_as_so_many(codec: str) -> None:
    frames = frames_of(cut_frames(codec, [audio(codec)]))
    frames[20:23] = [bytes(len(frame)) for frame in frames[20:23]]

    runs = cut_frames(codec, [b"".join(frames)])

    assert [len(run.sizes) for run in runs] == [20, len(frames) - 23]
    assert runs[1].lost in (2, 3, 4)  # frames vary in length
    assert not runs[1].fresh


@pytest.mark.parametrize("sizes", [[100_000], [7], [1000]])
def test_a_tag_between_frames_is_no_loss(sizes: list[int]) -> None:
    data = audio("mp3")
    tag = b"ID3\x04\x00\x00\x00\x00\x20\x00" + b"\xff\xfb\x90\x64" * 1024

    runs = cut_frames("mp3", cut(data + tag + data, sizes))

    assert b"".join(frames_of(runs)) == data + data
    assert not any(run.lost for run in runs)


def test_a_new_rate_and_mono_are_another_kind() -> None:
    streams = [audio("mp3"), audio("mp3", rate=44_100), audio("mp3", rate=44_100, channels=1)]

    runs = cut_frames("mp3", [b"".join(streams)])

    assert [run.data for run in runs] == streams
    assert all(run.fresh for run in runs)


@given(
    st.sampled_from(CODECS),
    st.lists(st.sampled_from([b"\xff\xfb\x90\x64", b"\xff\xf1\x50\x80", b"\0", b"ID3"])),
)
def test_no_bytes_fail(codec: str, parts: list[bytes]) -> None:
    cut_frames(codec, [b"".join(parts), b"\xff" * 50])
