"""ICY: the titles that SHOUTcast and Icecast put between the audio bytes of a stream.

After every `metaint` bytes of audio comes one byte that says how many times 16
bytes of text follow, such as `StreamTitle='Artist - Song';StreamUrl='';`.
"""

import re
from collections.abc import Iterator

from streamer.flow import Title
from streamer.source.titles import decode_title

MIN_METAINT = 256  # bytes; with less, most of what is sent could be titles
MAX_METAINT = 1 << 20  # stations use 8 to 32 KiB; more than this is a broken header

# A title may hold quotes and semicolons, so it ends only where another field or the end follows.
_TITLE = re.compile(rb"StreamTitle='(.*?)'[;\s]*(?:[A-Za-z_]+=|\x00*$)", re.DOTALL)
_OPEN_TITLE = re.compile(rb"StreamTitle='(.*)", re.DOTALL)


class IcyReader:
    """Parts a stream into audio bytes and titles, however it is cut into chunks.

    Args:
        metaint: bytes of audio between two metadata blocks (`icy-metaint`).
        charset: how titles are encoded where they are not UTF-8.
    """

    def __init__(self, metaint: int, charset: str = "latin-1") -> None:
        self._metaint = metaint
        self._charset = charset
        self._audio_left = metaint
        self._meta_left: int | None = None  # None: the length byte is still to come
        self._meta = bytearray()
        self._title: str | None = None

    def feed(self, data: bytes) -> Iterator[bytes | Title]:
        """Give audio, joined as far as no title changes in it, and titles where they do."""
        audio: list[bytes] = []
        at = 0
        while at < len(data):
            if self._audio_left:
                audio.append(data[at : at + self._audio_left])
                self._audio_left -= len(audio[-1])
                at += len(audio[-1])
            elif self._meta_left is None:
                self._meta_left = data[at] * 16
                at += 1
            if self._meta_left:
                part = data[at : at + self._meta_left]
                self._meta += part
                self._meta_left -= len(part)
                at += len(part)
            if self._meta_left == 0:
                title = parse_title(bytes(self._meta), self._charset) if self._meta else None
                self._meta.clear()
                self._meta_left = None
                self._audio_left = self._metaint
                if title is not None and title != self._title:
                    self._title = title
                    if audio:
                        yield b"".join(audio)
                        audio.clear()
                    yield Title(title)
        if audio:
            yield b"".join(audio)


def parse_title(block: bytes, charset: str = "latin-1") -> str | None:
    """Give the title in a metadata block, None where the block says nothing of it."""
    match = _TITLE.search(block) or _OPEN_TITLE.search(block)
    if match is None:
        return None
    raw = match.group(1)
    if match.re is _OPEN_TITLE:
        raw = raw.rstrip(b"\x00").rstrip(b";").rstrip(b"'")
    return decode_title(raw, charset)


def parse_metaint(value: str) -> int | None:
    """Read an `icy-metaint` header; None where there are no titles in the stream or it makes no sense."""
    if not value.strip().isdecimal():
        return None
    metaint = int(value.strip()[:9])
    return metaint if MIN_METAINT <= metaint <= MAX_METAINT else None
