"""Ogg: pages in, packets out, however the bytes are cut. Chained and multiplexed streams are told apart.

Checksums are not looked at: TCP has its own, and one in Python would cost more
than decoding. After rubbish it goes on at the next page.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MAX_PACKET = 1 << 20  # a comment header with a cover picture; audio packets are below 64 KiB
MAX_STREAMS = 8  # logical streams at a time: audio beside a video or two

_HEADER = struct.Struct("<4sBBqIIIB")
_CAPTURE = b"OggS"
_CONTINUED, _FIRST = 0x01, 0x02


class OggPage(NamedTuple):
    """The packets of a logical stream that a page completes.

    Attributes:
        serial: names the logical stream.
        packets: one or more.
        first: True where the first of them begins the logical stream and names its codec.
        lost: True when pages before it are missing.
    """

    serial: int
    packets: list[bytes]
    first: bool
    lost: bool


@dataclass(slots=True)
class _Stream:
    sequence: int
    partial: bytearray
    broken: bool = False  # the packet under way lacks a part, or is over the limit
    lost: bool = False


class OggReader:
    """Takes an Ogg stream apart."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._streams: dict[int, _Stream] = {}

    def feed(self, data: bytes) -> Iterator[OggPage]:
        """Give the packets that are now complete, in the order of the stream."""
        self._buffer += data
        while (page := self._next_page()) is not None:
            flags, serial, sequence, lacing, body = page
            stream = self._follow(flags, serial, sequence)
            if packets := _packets(stream, lacing, body):
                yield OggPage(serial, packets, bool(flags & _FIRST), stream.lost)
                stream.lost = False

    def _next_page(self) -> tuple[int, int, int, bytes, bytes] | None:
        """Cut one page off the buffer: flags, serial, sequence, lacing values, body."""
        start = self._buffer.find(_CAPTURE + b"\0")  # and version 0, the only one
        if start < 0:
            del self._buffer[: max(0, len(self._buffer) - len(_CAPTURE))]
            return None
        del self._buffer[:start]
        if len(self._buffer) < _HEADER.size:
            return None
        _, _, flags, _, serial, sequence, _, segments = _HEADER.unpack_from(self._buffer)
        body_at = _HEADER.size + segments
        lacing = bytes(self._buffer[_HEADER.size : body_at])
        end = body_at + sum(lacing)
        if len(lacing) < segments or len(self._buffer) < end:
            return None
        body = bytes(self._buffer[body_at:end])
        del self._buffer[:end]
        return flags, serial, sequence, lacing, body

    def _follow(self, flags: int, serial: int, sequence: int) -> _Stream:
        """Give the logical stream of a page, and note what is missing before it."""
        stream = self._streams.get(serial)
        if flags & _FIRST or stream is None:
            if len(self._streams) >= MAX_STREAMS:  # chains leave old ones behind: the oldest goes
                del self._streams[next(iter(self._streams))]
            self._streams.pop(serial, None)
            stream = self._streams[serial] = _Stream(sequence, bytearray(), broken=bool(flags & _CONTINUED))
        elif sequence != (stream.sequence + 1) & 0xFFFFFFFF:
            stream.lost = True
            stream.partial.clear()
            stream.broken = bool(flags & _CONTINUED)
        elif not flags & _CONTINUED:
            stream.partial.clear()
            stream.broken = False
        stream.sequence = sequence
        return stream


def _packets(stream: _Stream, lacing: bytes, body: bytes) -> list[bytes]:
    """Give the packets that end in a page; what is left of it begins the next one."""
    packets: list[bytes] = []
    start = end = 0
    for length in lacing:
        end += length
        if length == 255:
            continue
        whole = bytes(stream.partial) + body[start:end] if stream.partial else body[start:end]
        if not stream.broken and len(whole) <= MAX_PACKET:
            packets.append(whole)
        stream.partial.clear()
        stream.broken = False
        start = end
    if len(stream.partial) + end - start > MAX_PACKET:
        stream.partial.clear()
        stream.broken = True
    if not stream.broken:
        stream.partial += body[start:end]
    return packets
