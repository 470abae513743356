"""Ogg: pages in, packets out, however the bytes are cut. Chained and multiplexed streams are told apart.

Checksums are not looked at: TCP has its own, and one in Python would cost more
than decoding. After rubbish it goes on at the next page.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAX_PACKET = 1 << 20  # a comment header with a cover picture; audio packets are below 64 KiB
MAX_STREAMS = 8  # logical streams at a time: audio beside a video or two

_HEADER = struct.Struct("<4sBBqIIIB")
_CAPTURE = b"OggS"
_CONTINUED, _FIRST = 0x01, 0x02


@dataclass(frozen=True, slots=True)
class OggPacket:
    """One packet of a logical stream.

    Attributes:
        serial: names the logical stream.
        data: the packet.
        first: True for the packet that begins a logical stream and names its codec.
        lost: True when pages before it are missing.
    """

    serial: int
    data: bytes
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

    def feed(self, data: bytes) -> Iterator[OggPacket]:
        """Give the packets that are now complete, in the order of the stream."""
        self._buffer += data
        while (page := self._next_page()) is not None:
            yield from self._packets(*page)

    def _next_page(self) -> tuple[int, int, int, bytes, bytes] | None:
        """Cut one page off the buffer: flags, serial, sequence, lacing values, body."""
        start = self._buffer.find(_CAPTURE)
        if start < 0:
            del self._buffer[: max(0, len(self._buffer) - len(_CAPTURE) + 1)]
            return None
        del self._buffer[:start]
        if len(self._buffer) < _HEADER.size:
            return None
        _, version, flags, _, serial, sequence, _, segments = _HEADER.unpack_from(self._buffer)
        if version != 0:
            del self._buffer[: len(_CAPTURE)]
            return self._next_page() if _CAPTURE in self._buffer else None
        body_at = _HEADER.size + segments
        lacing = bytes(self._buffer[_HEADER.size : body_at])
        end = body_at + sum(lacing)
        if len(lacing) < segments or len(self._buffer) < end:
            return None
        body = bytes(self._buffer[body_at:end])
        del self._buffer[:end]
        return flags, serial, sequence, lacing, body

    def _packets(
        self, flags: int, serial: int, sequence: int, lacing: bytes, body: bytes
    ) -> Iterator[OggPacket]:
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
        first = bool(flags & _FIRST)
        at = 0
        for length in lacing:
            if len(stream.partial) + length > MAX_PACKET:
                stream.partial.clear()
                stream.broken = True
            if not stream.broken:
                stream.partial += body[at : at + length]
            at += length
            if length == 255:
                continue
            if not stream.broken:
                yield OggPacket(serial, bytes(stream.partial), first, stream.lost)
                first = stream.lost = False
            stream.partial.clear()
            stream.broken = False
