"""HLS playlists: text in, variants and segments out. No I/O."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from streamer.errors import SourceHttpError
from streamer.source.sniff import not_audio
from streamer.text import redact

MAX_SEGMENT = 16 * 1024 * 1024  # bytes: 10 s of video at 12 Mbit/s, where a station has no audio of its own
MAX_SEGMENTS = 20_000  # in a playlist; 256 KiB hold fewer
MAX_TARGET_S = 60.0
GOOD_BPS = 200_000  # of audio-only variants the best up to here: more bits tell no more of the genre

# A name begins where nothing of a name is before it: else a long one would be looked through anew from
# each of its letters.
_ATTRIBUTE = re.compile(r'(?<![A-Z0-9-])([A-Z0-9-]+)=("[^"]*"|[^",]*)')
_VIDEO = ("avc", "hvc", "hev", "vp0", "av01", "mp4v", "dvh")


@dataclass(frozen=True, slots=True)
class Part:
    """A resource or a range of bytes of one."""

    url: str
    offset: int = 0
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; `missing` where the playlist itself says that there is nothing (EXT-X-GAP)."""

    part: Part
    sequence: int
    duration_s: float
    discontinuity: bool = False
    init: Part | None = None
    missing: bool = False


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """A playlist of segments as it stands now."""

    target_s: float
    segments: list[Segment]
    ended: bool


def parse_master(text: str, url: str) -> str | None:
    """Choose among the variants of a master playlist; None where the text is no master playlist.

    An audio rendition before an audio-only variant before whatever has the lowest bandwidth.
    """
    variants: list[tuple[bool, int, str]] = []
    renditions: list[tuple[bool, str]] = []
    pending: dict[str, str] | None = None
    for line in _lines(text):
        if line.startswith("#EXT-X-STREAM-INF:"):
            pending = _attributes(line)
        elif line.startswith("#EXT-X-MEDIA:"):
            media = _attributes(line)
            if media.get("TYPE") == "AUDIO" and media.get("URI"):
                renditions.append((media.get("DEFAULT") == "YES", media["URI"]))
        elif not line.startswith("#") and pending is not None:
            codecs = pending.get("CODECS", "").lower()
            audio_only = bool(codecs) and not any(video in codecs for video in _VIDEO)
            variants.append((audio_only, _number(pending.get("BANDWIDTH", "0")), line))
            pending = None
    if not variants and not renditions:
        return None
    audio = sorted((bps, uri) for audio_only, bps, uri in variants if audio_only)
    if audio:
        chosen = next((uri for bps, uri in reversed(audio) if bps <= GOOD_BPS), audio[0][1])
    elif renditions:
        chosen = max(renditions, key=lambda rendition: rendition[0])[1]
    else:
        chosen = min(variants, key=lambda variant: variant[1])[2]
    return _resolve(url, chosen)


def parse_media(text: str, url: str) -> MediaPlaylist:
    """Read a playlist of segments.

    Raises:
        NotAudioError: it is encrypted.
        SourceHttpError: it is no HLS playlist.
    """
    if not text.lstrip("\ufeff \r\n").startswith("#EXTM3U"):
        raise SourceHttpError(
            f"{redact(url)}: no HLS playlist is there any more", remedy="check the address; it is tried again"
        )
    reader = _MediaReader(url)
    for line in _lines(text):
        if line.startswith("#"):
            reader.tag(line)
        else:
            reader.address(line)
    return MediaPlaylist(reader.target_s, reader.segments, reader.ended)


class _MediaReader:
    """What the tags so far say of the segment that comes next."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.target_s, self.ended = 6.0, False
        self.segments: list[Segment] = []
        self._sequence = 0
        self._duration_s: float | None = None
        self._flags: set[str] = set()
        self._init: Part | None = None
        self._range: tuple[int, int | None] | None = None
        self._ends_at: dict[str, int] = {}  # where the last byte range of each resource ended

    def tag(self, line: str) -> None:
        """Take a line that begins with '#'."""
        tag, _, value = line.partition(":")
        match tag:
            case "#EXT-X-TARGETDURATION":
                self.target_s = min(max(_seconds(value), 0.5), MAX_TARGET_S)
            case "#EXT-X-MEDIA-SEQUENCE":
                self._sequence = _number(value)
            case "#EXTINF":
                self._duration_s = min(_seconds(value.partition(",")[0]), MAX_TARGET_S)
            case "#EXT-X-BYTERANGE":
                self._range = _byte_range(value)
            case "#EXT-X-DISCONTINUITY" | "#EXT-X-GAP":
                self._flags.add(tag)
            case "#EXT-X-ENDLIST":
                self.ended = True
            case "#EXT-X-MAP":
                attributes = _attributes(line)
                length, offset = _byte_range(attributes.get("BYTERANGE", ""))
                self._init = Part(_resolve(self._url, attributes.get("URI", "")), offset or 0, length or None)
            case "#EXT-X-KEY":
                method = _attributes(line).get("METHOD", "NONE")
                if method != "NONE":
                    raise not_audio(redact(self._url), f"is encrypted HLS ({method[:20]}), not read here")

    def address(self, line: str) -> None:
        """Take the line that names a segment."""
        if self._duration_s is None or len(self.segments) >= MAX_SEGMENTS:
            return
        part = Part(_resolve(self._url, line))
        if self._range is not None:
            length, offset = self._range
            part = Part(part.url, self._ends_at.get(part.url, 0) if offset is None else offset, length)
            self._ends_at[part.url] = part.offset + length
        self.segments.append(
            Segment(
                part,
                sequence=self._sequence + len(self.segments),
                duration_s=self._duration_s,
                discontinuity="#EXT-X-DISCONTINUITY" in self._flags,
                init=self._init,
                missing="#EXT-X-GAP" in self._flags,
            )
        )
        self._duration_s = self._range = None
        self._flags.clear()


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.lstrip("\ufeff").splitlines() if line.strip())


def _attributes(line: str) -> dict[str, str]:
    return {key: value.strip('"') for key, value in _ATTRIBUTE.findall(line.partition(":")[2])}


def _resolve(url: str, reference: str) -> str:
    try:
        address = urljoin(url, reference)
        scheme = urlsplit(address).scheme
    except ValueError:
        scheme = ""
    if scheme not in ("http", "https") or not reference:
        raise SourceHttpError(
            f"{redact(url)}: the HLS playlist names something that is neither http nor https",
            remedy="check with another player what is sent there",
        )
    return address


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0.0 <= value < 86_400.0 else 0.0


def _number(text: str) -> int:
    digits = text.strip()[:18]
    return int(digits) if digits.isdecimal() else 0


def _byte_range(value: str) -> tuple[int, int | None]:
    length, _, offset = value.strip('"').partition("@")
    return min(_number(length), MAX_SEGMENT), _number(offset) if offset else None
