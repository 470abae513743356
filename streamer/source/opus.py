"""Packets of Opus: how long they last, and many made one (RFC 6716, 3)."""

from collections.abc import Iterator, Sequence
from itertools import groupby

MAX_SAMPLES = 5760  # that a packet may hold, at 48 kHz: 120 ms
MAX_FRAME = 1275  # bytes
_SAMPLES = {  # by kind of coding, of one frame at 48 kHz
    "silk": (480, 960, 1920, 2880), "hybrid": (480, 960), "celt": (120, 240, 480, 960),
}  # fmt: skip
_CELT = 16  # kinds from here on
_LONG = 252  # lengths from here on take two bytes


def opus_samples(packet: bytes) -> int:
    """Give how many samples at 48 kHz a packet holds, 0 where it makes no sense. Two bytes of it will do."""
    if not packet:
        return 0
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[packet[0] & 3]
    samples = frames * _frame_samples(packet[0])
    return samples if samples <= MAX_SAMPLES else 0


def opus_groups(packets: Sequence[bytes]) -> Iterator[tuple[list[bytes], bool]]:
    """Part packets into groups; True where a group can be made one packet."""
    for head, run in groupby(packets, _mergeable):
        alike = list(run)
        count = MAX_SAMPLES // _frame_samples(head) if head >= 0 else len(alike)
        for at in range(0, len(alike), count):
            group = alike[at : at + count]
            yield group, head >= 0 and len(group) > 1


def opus_merge(packets: Sequence[bytes]) -> bytes:
    """Make one packet of a group: the same frames, so that the same samples come out."""
    frames = [packet[1:] for packet in packets]
    lengths = bytearray((packets[0][0] | 3, 0x80 | len(frames)))  # any number of frames, of any lengths
    for frame in frames[:-1]:
        size = len(frame)
        low = _LONG + (size & 3)
        lengths += bytes((size,)) if size < _LONG else bytes((low, (size - low) >> 2))
    return bytes(lengths) + b"".join(frames)


def _mergeable(packet: bytes) -> int:
    """Give the first byte of a packet that holds one frame of CELT, -1 of any other.

    What is coded for speech at low rates comes out a little different.
    """
    one_frame = 2 < len(packet) <= 1 + MAX_FRAME and not packet[0] & 3
    return packet[0] if one_frame and packet[0] >> 3 >= _CELT else -1


def _frame_samples(head: int) -> int:
    kind = head >> 3
    if kind < 12:
        return _SAMPLES["silk"][kind & 3]
    return _SAMPLES["hybrid"][kind & 1] if kind < _CELT else _SAMPLES["celt"][kind & 3]
