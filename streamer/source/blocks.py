"""Decoded frames to blocks: joined, as float32, with what is missing before them."""

import ctypes
from itertools import groupby
from operator import attrgetter
from typing import Any, TypeAlias, cast

import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from streamer.flow import Block, Format, MultiSamples, SourceEvent
from streamer.source.pcm import LOUDEST, MAX_CHANNELS, MAX_RATE, to_float32
from streamer.source.sniff import not_audio

MAX_BLOCK_VALUES = 1 << 20  # 11 s of 48 kHz stereo, 4 MB: few bytes of FLAC can hold hours of silence
MAX_BLOCK_S = 10.0
MAX_SPARES = 16
MAX_SPARE_VALUES = 1 << 18  # 1 MB: what holds more is not kept

_DTYPES: dict[str, Any] = {
    "flt": np.float32, "s16": np.int16, "s32": np.int32, "u8": np.uint8, "dbl": np.float64,
}  # fmt: skip
_Memory = ctypes.c_char * (1 << 30)  # longer than any; no more than what is there is looked at
_Key: TypeAlias = "tuple[str, int, int]"  # sample format, rate, channels

_key = attrgetter("format.name", "sample_rate", "layout.nb_channels")
_rate_and_channels = attrgetter("sample_rate", "layout.nb_channels")
_samples = attrgetter("samples")


class Spares:
    """Buffers that are empty again, for all decoders of a process: mostly one is at work at a time."""

    def __init__(self) -> None:
        self._fifos: dict[Any, list[AudioFifo]] = {}

    def take(self, key: Any) -> AudioFifo:
        """Give an empty buffer; a buffer takes frames of one key only."""
        try:
            return self._fifos[key].pop()
        except (KeyError, IndexError):  # no question before it: files are read in threads
            return AudioFifo()

    def put_back(self, key: Any, fifo: AudioFifo) -> None:
        """Take a buffer that is empty again."""
        if sum(map(len, self._fifos.values())) >= MAX_SPARES:
            self._fifos.clear()
        self._fifos.setdefault(key, []).append(fifo)


_spares = Spares()


class BlockBuilder:
    """Joins decoded frames into blocks, and says when rate or channels change between them.

    A block's samples are planes seen from the side: those of a channel follow one another in memory.

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
        self._key: _Key | None = None
        self._format: Format | None = None
        self._channels, self._dtype = 1, np.dtype(np.float32)
        self._fifo: AudioFifo | None = None
        self._fifo_key: Any = None
        self._samples = self._most = 0  # in it, and when they are enough
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
        if self._skipped and not self._samples:
            return [self._block(np.empty((0, self._channels), np.float32))]
        return self._give()

    def _gather(self, frames: list[AudioFrame], samples: int) -> list[SourceEvent]:
        """Copy what the frames hold: FFmpeg has their memory again for the next ones."""
        self.frames += len(frames)
        self.frame_samples = frames[-1].samples
        if self._fifo is None:
            self._fifo_key = self._key, frames[0].time_base
            self._fifo = _spares.take(self._fifo_key)
        if frames[0].pts is not None:
            for frame in frames:
                frame.pts = None  # they would have to follow one another
        write = self._fifo.write
        for frame in frames:
            write(frame)
        self._samples += samples
        return self._give() if self._samples >= self._most else []

    def _give(self) -> list[SourceEvent]:
        if self._fifo is None:
            return []
        samples = _samples_of(cast(AudioFrame, self._fifo.read()), self._dtype, self._channels)
        if self._samples * self._channels <= MAX_SPARE_VALUES:
            _spares.put_back(self._fifo_key, self._fifo)
        self._fifo, self._samples = None, 0
        return [self._block(samples)]

    def _block(self, samples: MultiSamples) -> Block:
        block = Block(samples, self.rate, self._lost, self._skipped)
        self._lost = self._skipped = 0
        return block

    def _change(self, key: _Key) -> list[SourceEvent]:
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


def _samples_of(frame: AudioFrame, dtype: np.dtype[Any], channels: int) -> MultiSamples:
    """Give the (n, channels) samples of a frame that PyAV made; where it has planes, these from the side."""
    planes: tuple[Any, ...] = frame.planes[:channels]  # of eight, PyAV gives a ninth that is none
    if len(planes) == 1:
        return _clean(np.frombuffer(planes[0], dtype)).reshape(-1, channels)
    at, size = planes[0].buffer_ptr, planes[0].buffer_size
    if planes[-1].buffer_ptr == at + size * (channels - 1):  # one after another in memory, as PyAV has them
        memory: Any = _Memory.from_address(at)
        memory.frame = frame  # whose it is
        values = np.frombuffer(memory, dtype, size * channels // dtype.itemsize)
    else:
        values = np.concatenate([np.frombuffer(plane, dtype) for plane in planes])
    return _clean(values).reshape(channels, -1).T


def _clean(numbers: NDArray[Any]) -> NDArray[np.float32]:
    """Give what a decoder gave as float32 that is finite, and far from where its squares are not."""
    # One pass tells whether anything is amiss: no energy of audio comes near it. (`dot` would warn of
    # what is infinite.)
    fine = numbers.dtype == np.float32 and np.vdot(numbers, numbers) <= LOUDEST**2 * len(numbers)
    return numbers if fine else to_float32(numbers)
