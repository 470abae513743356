"""Frames of MP3 and AAC (ADTS), cut out of a stream by their headers, however the bytes come.

FFmpeg has parsers for this. Here a frame is known by its header alone, so that many which follow
one another stay one piece of bytes: decoded as one packet, or counted where nobody wants them.
"""

import struct
from typing import Literal, NamedTuple

from streamer.source.id3 import id3_size

FrameCodec = Literal["mp3", "aac"]

HEADER_BYTES = 7  # of ADTS; MP3 would do with four
MAX_HEADERS = 1000  # kept in mind; a stream has some dozens

_eight_bytes = struct.Struct(">Q").unpack_from
_MP3_KBPS = {  # by (MPEG-1?, layer)
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


class Run(NamedTuple):
    """Frames of one kind that follow one another.

    Attributes:
        data: all of them, one right after the other.
        sizes: bytes of each.
        lost: how many frames the bytes before them would have held, which were none.
        fresh: True where they are the first of their kind, and may last longer than those before.
    """

    data: bytes
    sizes: list[int]
    lost: int
    fresh: bool


class FrameCutter:
    """Takes a stream apart. The frames are the same however the bytes are cut.

    A frame that follows one of its kind is taken as it is; elsewhere two must follow one another.

    Args:
        codec: what the stream holds.
    """

    def __init__(self, codec: FrameCodec) -> None:
        self._codec: FrameCodec = codec
        self._rest = b""
        self._kind: tuple[int, int] | None = None  # that comes next; None: to be found
        self._last_kind: tuple[int, int] | None = None
        self._lengths: dict[bytes, int] = {}  # of MP3 frames of this kind, by the headers seen so far
        self._heads: set[int] = set()  # what such headers of AAC begin with: all before the length
        self._tag_left = 0  # of an ID3 tag between frames: some servers send one file after another
        self._garbage = 0  # bytes since the last frame
        self._bytes = self._frames = 0  # of this kind
        self._fresh = False

    def feed(self, data: bytes, *, final: bool = False) -> list[Run]:
        """Take any number of bytes; give the frames that are now complete.

        Args:
            data: the bytes.
            final: True where no more will come.
        """
        data = self._rest + data
        runs: list[Run] = []
        at, waits = 0, False
        while not waits:
            if self._tag_left:
                passed = min(self._tag_left, len(data) - at)
                self._tag_left -= passed
                at += passed
            if self._kind:
                begin = at
                at, sizes, waits = self._walk(data, begin)
                if sizes:
                    runs.append(self._run(data[begin:at], sizes))
            if not waits:
                at, waits = self._look(data, at, final=final)
        self._rest = data[at:]
        return runs

    def _walk(self, data: bytes, at: int) -> tuple[int, list[int], bool]:
        """Go from frame to frame; give where that ends, their sizes, True where bytes are missing there."""
        lengths, heads, end = self._lengths, self._heads, len(data)
        sizes: list[int] = []
        if self._codec == "mp3":
            while (size := lengths.get(data[at : at + 4]) or self._learn(data, at)) and at + size <= end:
                sizes.append(size)
                at += size
            return at, sizes, size > 0 or end - at < HEADER_BYTES
        while at + HEADER_BYTES < end:
            (head,) = _eight_bytes(data, at)
            size = head >> 21 & 0x1FFF
            if size <= HEADER_BYTES or (head >> 34 not in heads and not self._learn(data, at)):
                return at, sizes, False
            if at + size > end:
                break
            sizes.append(size)
            at += size
        return at, sizes, True

    def _learn(self, data: bytes, at: int) -> int:
        """Give the length of the frame of our kind that begins here, 0 where none does, and know it then."""
        if len(data) - at < HEADER_BYTES or frame_kind(data, at, self._codec) != self._kind:
            return 0
        size = frame_length(data, at, self._codec)
        if size:
            if len(self._lengths) > MAX_HEADERS:
                self._lengths.clear()
                self._heads.clear()
            self._lengths[data[at : at + 4]] = size
            self._heads.add(int.from_bytes(data[at : at + 4]) >> 2)
        return size

    def _run(self, data: bytes, sizes: list[int]) -> Run:
        lost = round(self._garbage * self._frames / self._bytes) if self._bytes else 0
        run = Run(data, sizes, lost, self._fresh)
        if self._fresh:
            self._bytes = self._frames = 0
        self._bytes += len(data)
        self._frames += len(sizes)
        self._garbage, self._fresh = 0, False
        return run

    def _look(self, data: bytes, at: int, *, final: bool) -> tuple[int, bool]:
        """Find where to go on where no frame follows; True where more bytes must say."""
        if self._kind and data.startswith(b"ID3", at):
            if len(data) - at < 10:
                return at, True
            self._tag_left = id3_size(data[at : at + 10])
            if self._tag_left:
                return at, False
        found, is_frame = self._search(data, at, final=final)
        self._garbage += found - at
        self._kind = frame_kind(data, found, self._codec) if is_frame else None
        if self._kind and self._kind != self._last_kind:
            self._last_kind, self._fresh = self._kind, True
            self._lengths.clear()
            self._heads.clear()
        return found, not is_frame

    def _search(self, data: bytes, at: int, *, final: bool) -> tuple[int, bool]:
        """Find the first frame that another of its kind follows, or the end of all data."""
        while (at := data.find(b"\xff", at)) >= 0:
            if len(data) - at < HEADER_BYTES:
                return at, False
            size = frame_length(data, at, self._codec)
            after = at + size
            if size and after + HEADER_BYTES > len(data):
                if not final:
                    return at, False
                if after == len(data):
                    return at, True
            elif size and frame_length(data, after, self._codec) and same_kind(data, at, after, self._codec):
                return at, True
            at += 1
        return len(data), False


def frame_length(data: bytes, at: int, codec: FrameCodec) -> int:
    """Give the bytes of the frame whose header is here, 0 where none is or some of it is missing."""
    return _adts_frame_length(data, at) if codec == "aac" else _mp3_frame_length(data, at)


def frame_kind(data: bytes, at: int, codec: FrameCodec) -> tuple[int, int]:
    """Give what stays the same in a stream's headers: version, layer or profile, rate, MP3's mono."""
    if codec == "mp3":
        return data[at + 1] & 0xFE, data[at + 2] & 0x0C | (data[at + 3] >= 0xC0)
    return data[at + 1] & 0xF6, data[at + 2] & 0xFC


def same_kind(data: bytes, one: int, two: int, codec: FrameCodec) -> bool:
    """True where two headers can be of one stream."""
    return frame_kind(data, one, codec) == frame_kind(data, two, codec)


def _mp3_frame_length(data: bytes, at: int) -> int:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[at + 1] >> 3 & 3, 4 - (data[at + 1] >> 1 & 3)
    kbps_index, rate_index = data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if version == 1 or layer not in (2, 3) or kbps_index in (0, 15) or rate_index == 3:
        return 0
    kbps = _MP3_KBPS[version == 3, layer][kbps_index]
    rate = _MP3_RATES[version][rate_index]
    per_frame = 72_000 if layer == 3 and version != 3 else 144_000
    return per_frame * kbps // rate + (data[at + 2] >> 1 & 1)


def _adts_frame_length(data: bytes, at: int) -> int:
    if at + 7 > len(data) or data[at] != 0xFF or data[at + 1] & 0xF6 != 0xF0 or data[at + 2] >> 2 & 15 > 12:
        return 0
    length = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
    return length if length > 7 else 0
