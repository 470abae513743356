"""Ogg to blocks: what its logical streams hold is told from their headers; each may bring a title."""

from collections.abc import Iterator

from streamer.flow import SourceEvent, Title
from streamer.source.ogg import OggReader
from streamer.source.packets import PacketDecoder
from streamer.source.skip import Skip
from streamer.source.sniff import not_audio
from streamer.source.titles import decode_title, join_title


class OggDecoder:
    """Decodes the audio of an Ogg stream; each new logical stream may bring a codec, a rate and a title."""

    def __init__(self, *, name: str, bitrate: int | None = None, skip: Skip | None = None) -> None:
        self._name, self._bitrate, self._skip = name, bitrate, skip or Skip()
        self._reader = OggReader()
        self._serial: int | None = None
        self._codec = ""
        self._headers: list[bytes] = []
        self._headers_left = 0
        self._decoder: PacketDecoder | None = None
        self._unknown = ""
        self._frames_before = 0  # in the logical streams before this one

    def feed(self, data: bytes) -> Iterator[SourceEvent]:
        """Take any number of bytes, give the events in them."""
        audio: list[bytes] = []
        for page in self._reader.feed(data):
            packets = page.packets
            if page.first:
                yield from self._decode(audio)
                yield from self._begin(page.serial, packets[0])
                packets = packets[1:]
            if page.serial != self._serial:
                if self._serial is None and self._unknown and not page.first:
                    raise not_audio(self._name, f"holds Ogg {self._unknown}, which is not decoded here")
                continue
            for at, packet in enumerate(packets):
                if not self._headers_left:
                    audio += self._audio(packets[at:])
                    break
                yield from self._header(packet)
        yield from self._decode(audio)

    def flush(self) -> Iterator[SourceEvent]:
        """Give what the decoder still holds."""
        if self._decoder is not None:
            yield from self._decoder.flush()

    @property
    def frames(self) -> int:
        """How many frames were decoded so far, or passed over."""
        return self._frames_before + (self._decoder.frames if self._decoder is not None else 0)

    def _audio(self, packets: list[bytes]) -> list[bytes]:
        if self._codec == "flac":
            return [packet for packet in packets if packet[:1] == b"\xff"]
        return [packet for packet in packets if packet]

    def _decode(self, audio: list[bytes]) -> Iterator[SourceEvent]:
        if audio and self._decoder is not None:
            yield from self._decoder.decode(audio)
            audio.clear()

    def _begin(self, serial: int, head: bytes) -> Iterator[SourceEvent]:
        """Start a logical stream, unless it runs beside the one that we follow (video, say)."""
        if head.startswith(b"OpusHead"):
            codec, headers_left = "opus", 1
        elif head.startswith(b"\x01vorbis"):
            codec, headers_left = "vorbis", 2
        elif head.startswith(b"\x7fFLAC") and len(head) >= 51:
            codec, headers_left = "flac", max(1, int.from_bytes(head[7:9], "big"))
        else:
            self._unknown = "video or data" if head[:1] == b"\x80" else "of an unknown codec"
            return
        if self._decoder is None and len(self._headers) == 1:
            return  # a second audio track of the same group
        if self._decoder is not None:
            yield from self._decoder.flush()
            self._frames_before += self._decoder.frames
            self._skip.serve("")
        self._serial, self._codec, self._headers_left = serial, codec, headers_left
        self._headers, self._decoder = [head], None

    def _header(self, packet: bytes) -> Iterator[SourceEvent]:
        self._headers.append(packet)
        self._headers_left -= 1
        if self._codec == "flac" and packet[:1] == b"\xff":  # it said more headers than it has
            self._headers_left = 0
        title = comment_title(packet)
        if title is not None:
            yield Title(title)
        if not self._headers_left or (self._codec == "flac" and packet[:1] >= b"\x80"):
            self._headers_left = 0
            self._decoder = PacketDecoder(
                self._codec,
                name=self._name,
                extradata=self._extradata(),
                bitrate=self._bitrate,
                skip=self._skip,
            )

    def _extradata(self) -> bytes:
        if self._codec == "opus":
            return self._headers[0]
        if self._codec == "flac":
            return self._headers[0][17:51]  # STREAMINFO alone
        first, second = self._headers[0], self._headers[1]
        return b"\x02" + _lace(len(first)) + _lace(len(second)) + b"".join(self._headers)


def comment_title(packet: bytes) -> str | None:
    """Read artist and title from a comment header of Vorbis, Opus or FLAC; None where it is none."""
    for magic in (b"\x03vorbis", b"OpusTags"):
        if packet.startswith(magic):
            body = packet[len(magic) :]
            break
    else:
        if packet[:1] not in (b"\x04", b"\x84"):
            return None
        body = packet[4:]
    found: dict[str, str] = {}
    at = 4 + int.from_bytes(body[:4], "little")
    count = int.from_bytes(body[at : at + 4], "little")
    at += 4
    for _ in range(min(count, 200)):
        size = int.from_bytes(body[at : at + 4], "little")
        key, sign, value = body[at + 4 : at + 4 + min(size, 4096)].partition(b"=")
        at += 4 + size
        if sign and len(key) < 20:
            found.setdefault(key.decode("latin-1").lower(), decode_title(value))
        if at >= len(body):
            break
    return join_title(found.get("artist", ""), found.get("title", ""))


def _lace(size: int) -> bytes:
    return b"\xff" * (size // 255) + bytes([size % 255])
