"""Audio streams to mutate, made here, and the decode path that a worker's stations go through."""

import io
import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from streamer.flow import Block, Format, SourceEvent, Title
from streamer.source.decode import StreamDecoder
from streamer.source.file import read_file
from streamer.source.icy import IcyReader
from streamer.source.pcm import LOUDEST, MAX_CHANNELS, MAX_RATE
from streamer.source.segment import SegmentDecoder, demux

SECONDS = 0.25
MAX_SECONDS = 3600.0  # of audio in an input: 64 KiB of FLAC can hold hours of silence, and come bit by bit


_BOXES = tuple(
    b"moov trak mdia minf stbl moof traf trun tfhd stsz stz2 stts ctts stsc stco stsd sidx mdat free".split()
)


@dataclass(frozen=True)
class Stream:
    """A way to be decoded; what it has is as in `Target`."""

    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes], None]
    tokens: tuple[bytes, ...] = ()
    growth_mb: int = 300


@cache
def sound(encoder: str, container_format: str, *, rate: int = 44_100, layout: str = "stereo") -> bytes:
    """Give a quarter of a second of a noisy tone, some kilobytes."""
    count = {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8}[layout]
    time = np.arange(int(rate * SECONDS)) / rate
    mono = 0.3 * np.sin(2 * np.pi * 440 * time) + 0.02 * np.random.default_rng(1).normal(size=len(time))
    file = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov"} if container_format == "mp4" else {}
    with av.open(file, "w", format=container_format, options=options) as container:
        stream = container.add_stream(encoder, rate=rate, layout=layout, options={"strict": "experimental"})
        resampler = av.AudioResampler(
            stream.codec_context.format, layout, rate, frame_size=stream.codec_context.frame_size or 1024
        )
        packed = np.repeat(mono.astype(np.float32), count)[None]
        frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux([packet for packet in stream.encode(None) if packet.size])
    return file.getvalue()


def live() -> list[bytes]:
    """Give what stations send."""
    return [
        sound("libmp3lame", "mp3"),
        sound("libmp3lame", "mp3", rate=22_050, layout="mono"),
        sound("aac", "adts"),
        sound("aac", "adts", layout="5.1"),
        sound("aac", "adts", layout="7.1"),
        sound("libopus", "ogg", rate=48_000),
        sound("vorbis", "ogg"),
        sound("flac", "ogg", layout="mono"),
        sound("libmp3lame", "mp3") + sound("libmp3lame", "mp3", rate=48_000, layout="mono"),
        sound("vorbis", "ogg") + sound("libopus", "ogg", rate=48_000),
    ]


def segments() -> list[bytes]:
    """Give what HLS servers send."""
    return [
        sound("aac", "mpegts"),
        sound("libmp3lame", "mpegts"),
        sound("aac", "mp4"),
        sound("libmp3lame", "mp4"),
        sound("aac", "adts"),
    ]


def files() -> list[bytes]:
    """Give what lies on disks."""
    kinds = [
        ("pcm_s16le", "wav"),
        ("aac", "mp4"),
        ("flac", "flac"),
        ("libmp3lame", "mp3"),
        ("vorbis", "matroska"),
    ]
    return [sound(encoder, container_format) for encoder, container_format in kinds]


def check(events: Iterable[SourceEvent]) -> None:
    """See that samples are finite, loud within reason and of a bounded rate, after a format that says so."""
    format: Format | None = None
    seconds = 0.0
    for event in events:
        if isinstance(event, Format):
            format = event
            assert 0 < event.rate <= MAX_RATE
            assert 0 < event.channels <= MAX_CHANNELS
        elif isinstance(event, Title):
            assert event.text.isprintable()
        elif isinstance(event, Block):
            assert format is not None
            assert event.samples.shape[1] == format.channels
            assert event.lost >= 0
            assert event.skipped >= 0
            assert np.isfinite(event.samples).all()
            assert np.square(event.samples).sum() <= 1.01 * LOUDEST**2 * event.samples.size
            seconds += len(event.samples) / event.rate
            if seconds > MAX_SECONDS:
                return


def decode_live(data: bytes) -> None:
    """Decode as it comes from a station, titles parted first, in pieces, some of it passed over."""
    chance = random.Random(data)
    decoder = StreamDecoder(name="input")
    icy = IcyReader(chance.randint(256, 4000)) if chance.random() < 0.2 else None
    at = 0
    while at < len(data):
        size = chance.choice((1, 100, 1400, 16_384))
        if chance.random() < 0.1:
            decoder.skip(chance.choice((0.05, 0.5, -1.0)))
        for part in icy.feed(data[at : at + size]) if icy else (data[at : at + size],):
            if isinstance(part, bytes):
                check(_formats_first(decoder, part))
        at += size
    check(_formats_first(decoder, None))


def _formats_first(decoder: StreamDecoder, data: bytes | None) -> Iterable[SourceEvent]:
    """Give the events, after the format that was told before, if one was."""
    told: Format | None = getattr(decoder, "fuzz_told", None)
    if told is not None:
        yield told
    for event in decoder.feed(data) if data is not None else decoder.flush():
        if isinstance(event, Format):
            decoder.fuzz_told = event  # type: ignore[attr-defined]
        yield event


def decode_segment(data: bytes) -> None:
    """Take a segment apart and decode it, twice as if two came."""
    cut = len(data) // 3 if random.Random(data).random() < 0.2 else 0
    decoder = SegmentDecoder("input")
    demuxed = demux(data[cut:], data[:cut] or None, name="input")
    check([*decoder.decode(demuxed), *decoder.decode(demuxed)])


@cache
def scratch() -> Path:
    """Give the path of a file to write an input to."""
    return Path(tempfile.mkdtemp()) / "input"


def decode_file(data: bytes) -> None:
    """Decode a whole file."""
    scratch().write_bytes(data)
    check(read_file(scratch()))


STREAMS = {
    "live": Stream(live, decode_live, (b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf1", b"fLaC")),
    "segment": Stream(segments, decode_segment, (*_BOXES, b"\x7f\0\0\0", b"\x47\x40\0\x10")),
    # The user's own files: FFmpeg makes room for what their tables claim, up to its own limit.
    "file": Stream(files, decode_file, growth_mb=2048),
}
"""What decodes: by name."""
