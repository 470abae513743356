"""What must be known of an MP4 segment before FFmpeg may see it: how many samples its tables claim.

A box of twenty bytes can claim thousands of millions, and FFmpeg makes room for them all, at 24 bytes
each, before it looks for their data.
"""

import re
from collections.abc import Iterator

MAX_SAMPLES = 100_000  # in a segment: a minute of video and sound has some seven thousand

_TABLES = re.compile(b"trun|stsz|stz2|stts|ctts")
_COUNT_AT = {b"trun": 8, b"stsz": 12, b"stz2": 12}  # bytes from a box's name to its count


def claimed_samples(data: bytes) -> int:
    """Give how many samples all tables together claim; counted no further than beyond `MAX_SAMPLES`.

    Whatever looks like a table is taken for one, wherever it lies but in the audio itself: FFmpeg
    finds them in places where they have no business.
    """
    claimed = 0
    for begin, end in _headers(data):
        for match in _TABLES.finditer(data, begin, end):
            for count in _claims(data, match.start(), match.group()):
                claimed += count
                if claimed > MAX_SAMPLES:
                    return claimed
    return claimed


def _headers(data: bytes) -> Iterator[tuple[int, int]]:
    """Give from where to where there is anything but encoded audio and video."""
    at = 0
    while at + 8 <= len(data):
        size, head = _number(data, at), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16]), 16
        elif size == 0:
            size = len(data) - at
        if size < head:
            break
        if data[at + 4 : at + 8] != b"mdat":
            yield at, min(at + size, len(data))
        at += size
    yield min(at, len(data)), len(data)


def _claims(data: bytes, at: int, name: bytes) -> Iterator[int]:
    if name in _COUNT_AT:
        yield _number(data, at + _COUNT_AT[name])
        return
    # stts and ctts hold runs: pairs of a count and what it counts. A run of none costs time as well.
    first = at + 12
    end = min(first + 8 * _number(data, at + 8), len(data))
    yield from (max(_number(data, run), 1) for run in range(first, end, 8))


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])
