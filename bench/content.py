"""What the stations of the benchmarks play: minutes of the demo's programme, encoded once, cut to loop.

Without the demo's silence, for which nobody asks the model. A unit is what is sent as a whole:
a frame of MP3 or AAC, a page of Ogg.
"""

import io
import json
import struct
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.stream import AudioStream

from streamer.demo.programme import PROGRAMME, nothing, render
from streamer.demo.synth import RATE
from streamer.flow import MultiSamples

BITRATE = 128_000  # bits per second
PROGRAMMES = 3  # of 47 s each
PAGE_US = "100000"  # of an Ogg page: what comes in longer ones is late by as much
MUSIC = tuple(piece for piece in PROGRAMME if piece.render is not nothing)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a station is encoded: FFmpeg's muxer and encoder, Hz, and what its server calls it."""

    muxer: str
    encoder: str
    rate: int
    content_type: str


KINDS = {
    "mp3-44100": Kind("mp3", "libmp3lame", 44_100, "audio/mpeg"),
    "mp3-48000": Kind("mp3", "libmp3lame", 48_000, "audio/mpeg"),
    "aac-44100": Kind("adts", "aac", 44_100, "audio/aac"),
    "opus-48000": Kind("ogg", "libopus", 48_000, "application/ogg"),
}
MIX = tuple(KINDS)
DEFAULT = ("mp3-44100",)

_CODEC_OPTIONS = {"mp3": {"id3v2_version": "0", "write_xing": "0"}, "ogg": {"page_duration": PAGE_US}}
_PAGE = struct.Struct("<4sBBqIIIB")
_OPUS_RATE = 48_000  # of Opus' granule positions


@dataclass(frozen=True, slots=True)
class Content:
    """An endless stream: `data` over and over.

    Attributes:
        kind: a key of `KINDS`.
        data: all units, one after the other.
        offsets: where unit k begins in `data`; one more for the end.
        ends: seconds of audio before unit k; one more for the end.
        head: how many units open a stream and go before whatever a listener joins at (Ogg's headers).
        titles: (second from which it plays, title).
    """

    kind: str
    data: bytes
    offsets: list[int]
    ends: list[float]
    head: int
    titles: list[tuple[float, str]]

    @property
    def seconds(self) -> float:
        """Of one round."""
        return self.ends[-1]

    def aired(self, second: float) -> int:
        """Give how many units have ended by a second of the endless stream."""
        rounds, rest = divmod(second, self.seconds)
        return int(rounds) * (len(self.ends) - 1) + bisect_right(self.ends, rest) - 1

    def second(self, unit: int) -> float:
        """Give the seconds of audio before a unit of the endless stream."""
        rounds, unit = divmod(unit, len(self.ends) - 1)
        return rounds * self.seconds + self.ends[unit]

    def parts(self, first: int, last: int) -> list[memoryview]:
        """Give the bytes of the units [first, last) of the endless stream, uncopied."""
        view, count, parts = memoryview(self.data), len(self.ends) - 1, []
        while first < last:
            unit = first % count
            until = min(count, unit + last - first)
            parts.append(view[self.offsets[unit] : self.offsets[until]])
            first += until - unit
        return parts

    def title(self, second: float) -> str:
        """Give what plays at a second of the endless stream."""
        number = bisect_right(self.titles, second % self.seconds, key=lambda entry: entry[0]) - 1
        return self.titles[max(number, 0)][1]


def make(folder: Path, kinds: Iterable[str] = DEFAULT, *, programmes: int = PROGRAMMES) -> None:
    """Render and encode, into files that `load` reads."""
    music = [render(MUSIC, seed) for seed in range(programmes)]
    starts = accumulate((len(samples) / RATE for samples in music[:-1]), initial=0.0)
    titles = [(start, f"The Synthetics - Programme {number}") for number, start in enumerate(starts, 1)]
    for name in dict.fromkeys(kinds):
        kind = KINDS[name]
        data = encode(np.concatenate(music), kind)
        offsets, ends, head = _pages(data) if kind.muxer == "ogg" else _frames(data, kind)
        content = asdict(Content(name, b"", offsets, ends, head, titles))
        del content["data"]
        (folder / f"{name}.audio").write_bytes(data)
        (folder / f"{name}.json").write_text(json.dumps(content))


def load(folder: Path, kind: str) -> Content:
    """Read what `make` wrote."""
    fields = json.loads((folder / f"{kind}.json").read_text())
    return Content(data=(folder / f"{kind}.audio").read_bytes(), **fields)


def encode(samples: MultiSamples, kind: Kind, **options: str) -> bytes:
    """Encode (n, 2) float32 at the demo's rate into a container that is nothing but its units.

    `options` are the encoder's own.
    """
    out = io.BytesIO()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T), format="fltp", layout="stereo")
    frame.sample_rate = RATE
    with av.open(out, "w", format=kind.muxer, options=_CODEC_OPTIONS.get(kind.muxer, {})) as container:
        stream = cast(AudioStream, container.add_stream(kind.encoder, rate=kind.rate, options=options))
        stream.bit_rate, stream.layout = BITRATE, "stereo"
        resampler = av.AudioResampler(
            format="flt" if kind.muxer == "ogg" else "fltp",
            layout="stereo",
            rate=kind.rate,
            frame_size=stream.frame_size or 960,
        )
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return out.getvalue()


def _frames(data: bytes, kind: Kind) -> tuple[list[int], list[float], int]:
    """Cut MP3 or AAC into its frames."""
    demuxer = "aac" if kind.muxer == "adts" else kind.muxer
    with av.open(io.BytesIO(data), "r", format=demuxer) as container:
        sizes = [packet.size for packet in container.demux() if packet.size]
    samples = 1024 if kind.muxer == "adts" else 1152
    ends = [number * samples / kind.rate for number in range(len(sizes) + 1)]
    return list(accumulate(sizes, initial=0)), ends, 0


def _pages(data: bytes) -> tuple[list[int], list[float], int]:
    """Cut Ogg Opus into its pages; the first two are headers."""
    offsets, ends = [0], [0.0]
    while offsets[-1] < len(data):
        at = offsets[-1]
        granule, segments = _PAGE.unpack_from(data, at)[3], data[at + _PAGE.size - 1]
        body = at + _PAGE.size + segments
        offsets.append(body + sum(data[at + _PAGE.size : body]))
        ends.append(max(granule, 0) / _OPUS_RATE)
    return offsets, ends, 2
