"""Decoded frames to blocks: joined, as float32, with what is missing before them."""

from itertools import chain, groupby
from operator import attrgetter, getitem
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from streamer.flow import Block, Format, MultiSamples, SourceEvent
from streamer.source.pcm import LOUDEST, MAX_CHANNELS, MAX_RATE, to_float32
from streamer.source.sniff import not_audio

MAX_BLOCK_VALUES = 1 << 20  # 11 s of 48 kHz stereo, 4 MB: few bytes of FLAC can hold hours of silence
MAX_BLOCK_S = 10.0

_DTYPES: dict[str, Any] = {
    "flt": np.float32, "s16": np.int16, "s32": np.int32, "u8": np.uint8, "dbl": np.float64,
}  # fmt: skip


_rate_and_channels = attrgetter("sample_rate", "layout.nb_channels")
_key = attrgetter("format.name", "sample_rate", "layout.nb_channels")
_planes, _samples = attrgetter("planes"), attrgetter("samples")


class BlockBuilder:
    """Joins decoded frames into blocks, and says when rate or channels change between them.

    Planes are copied once, into the block.

    Args:
        codec: as `Format` is to name it.
        name: what to call the source in an error.
        bitrate: as the station says it, in bits per second.
        max_s: the longest block.
    """

    def __init__(
        self, codec: str, *, name: str, bitrate: int | None = None, max_s: float = MAX_BLOCK_S
    ) -> None:
        self._codec, self._name, self._bitrate, self._max_s = codec, name, bitrate, max_s
        self._key: tuple[str, int, int] | None = None
        self._format: Format | None = None
        self._frames: list[AudioFrame] = []
        self._samples = self._most = 0  # in the frames, and when they are enough
        self._channels, self._dtype = 1, np.dtype(np.float32)
        self._lost = self._skipped = 0
        self.rate = 0
        """Of the last frame, in Hz; 0 before the first."""
        self.frame_samples = 0
        """Samples that the last frame held."""
        self.frames = 0
        """How many frames there were so far, those that were skipped too."""

    def lose(self, samples: int) -> list[SourceEvent]:
        """Take note of samples that could not be decoded."""
        events = self._give()
        self._lost += samples
        return events

    def skip(self, samples: int, frames: int) -> list[SourceEvent]:
        """Take note of so many frames, which hold so many samples, that nobody wants."""
        events = self._give()
        self.frames += frames
        self._skipped += samples
        return events

    def add(self, frames: list[AudioFrame], *, alike: bool = False) -> list[SourceEvent]:
        """Take frames; give what must be given before the next ones.

        Args:
            frames: one or more.
            alike: True where their headers say that all are as long, of one rate and as many channels.
        """
        if alike and _key(frames[0]) == self._key == _key(frames[-1]):
            return self._gather(frames, len(frames) * frames[0].samples)
        events: list[SourceEvent] = []
        for rate_and_channels, group in groupby(frames, _rate_and_channels):
            same = list(filter(_samples, group))
            if not same:
                continue
            key = same[0].format.name, *rate_and_channels
            if key != self._key:
                events += self.take() + self._change(key)
            events += self._gather(same, sum(map(_samples, same)))
        return events

    def take(self) -> list[SourceEvent]:
        """Give what was gathered as one block; where nothing was but some skipped, a block that says so."""
        if self._skipped and not self._frames:
            return [self._block(np.empty((0, self._channels), np.float32))]
        return self._give()

    def _gather(self, frames: list[AudioFrame], samples: int) -> list[SourceEvent]:
        self.frames += len(frames)
        self.frame_samples = frames[-1].samples
        self._frames += frames
        self._samples += samples
        return self._give() if self._samples >= self._most else []

    def _give(self) -> list[SourceEvent]:
        if not self._frames:
            return []
        samples = self._join()
        self._frames, self._samples = [], 0
        return [self._block(samples)]

    def _block(self, samples: MultiSamples) -> Block:
        block = Block(samples, self.rate, self._lost, self._skipped)
        self._lost = self._skipped = 0
        return block

    def _join(self) -> MultiSamples:
        """Give what was gathered as (n, channels) float32; planes stay planes, seen from the side."""
        rows: list[tuple[Any, ...]] = list(zip(*map(_planes, self._frames), strict=True))  # one a plane
        size = self._samples * self._channels * self._dtype.itemsize
        width = size // self._samples // len(rows)
        exact = rows[0][-1].buffer_size == self._frames[-1].samples * width
        joined = bytearray().join(chain.from_iterable(rows)) if exact else bytearray()
        if len(joined) != size:  # FFmpeg keeps room for more than some frames hold
            parts = [slice(frame.samples * width) for frame in self._frames] * len(rows)
            views: list[Any] = [memoryview(plane) for row in rows for plane in row]
            joined = bytearray().join(map(getitem, views, parts))
        values = _clean(np.frombuffer(joined, self._dtype))
        return values.reshape(len(rows), -1).T if len(rows) > 1 else values.reshape(-1, self._channels)

    def _change(self, key: tuple[str, int, int]) -> list[SourceEvent]:
        sample_format, rate, channels = key
        if not 0 < rate <= MAX_RATE or not 0 < channels <= MAX_CHANNELS:
            raise not_audio(self._name, f"{rate} Hz with {channels} channels is outside what is decoded")
        self._key, self.rate, self._channels = key, rate, channels
        self._dtype = np.dtype(_DTYPES[sample_format.removesuffix("p")])
        self._most = int(min(MAX_BLOCK_VALUES / channels, self._max_s * rate))
        new = Format(self._codec, rate, channels, self._bitrate)
        if new == self._format:
            return []
        self._format = new
        return [new]


def _clean(numbers: NDArray[Any]) -> NDArray[np.float32]:
    """Give what a decoder gave as float32 that is finite, and far from where its squares are not."""
    # One pass tells whether anything is amiss: no energy of audio comes near it. (`dot` would warn of
    # what is infinite.)
    fine = numbers.dtype == np.float32 and np.vdot(numbers, numbers) <= LOUDEST**2 * len(numbers)
    return numbers if fine else to_float32(numbers)
