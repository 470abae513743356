"""Bytes to blocks: one stream of MP3, AAC or Ogg in, formats, titles and samples out.

Nothing here opens anything: bytes are pushed in as they arrive and events come out.
FFmpeg sees only packets of the codecs on our list, never an address, never a container.
"""

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, cast

import av
import av.error
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame

from streamer.errors import BrokenAudioError, EmptyAudioError, SourceError
from streamer.flow import Block, Format, SourceEvent, Title
from streamer.source.ogg import OggPacket, OggReader
from streamer.source.pcm import MAX_CHANNELS, MAX_RATE, to_float32
from streamer.source.sniff import id3_size, not_audio, sniff
from streamer.source.titles import decode_title, join_title

Packet: TypeAlias = "av.Packet[Any]"
AnyPacket: TypeAlias = "av.Packet[Any] | bytes"

DECODERS = {"mp3": "mp3float", "aac": "aac", "opus": "opus", "vorbis": "vorbis", "flac": "flac"}
"""What we decode, and FFmpeg's decoder for it: every other is kept from hostile bytes."""

MAX_BLOCK_VALUES = 1 << 20  # 11 s of 48 kHz stereo, 4 MB: few bytes of FLAC can hold hours of silence
MAX_BLOCK_S = 10.0
MAX_GARBAGE = 256 * 1024  # bytes without a sample; a cover picture is shorter
MAX_BAD_PACKETS = 500  # in a row: about 12 s of MP3

_DTYPES: dict[str, Any] = {
    "flt": np.float32, "s16": np.int16, "s32": np.int32, "u8": np.uint8, "dbl": np.float64,
}  # fmt: skip


class BlockBuilder:
    """Joins decoded frames into blocks, and says when rate or channels change between them.

    Planes are read as views and copied once, into the block.
    """

    def __init__(
        self, codec: str, *, name: str, bitrate: int | None = None, max_s: float = MAX_BLOCK_S
    ) -> None:
        self._codec, self._name, self._bitrate, self._max_s = codec, name, bitrate, max_s
        self._key: tuple[str, int, int] | None = None
        self._format: Format | None = None
        self._planes: list[list[Any]] = []
        self._values = 0
        self._lost = 0
        self._last_samples = 0

    def lose(self) -> Iterator[SourceEvent]:
        """Take note that a packet could not be decoded: as many samples are lost as the one before had."""
        yield from self.take()
        self._lost += self._last_samples

    def add(self, frame: AudioFrame) -> Iterator[SourceEvent]:
        """Take a frame; give what must be given before the next one."""
        n, channels = frame.samples, frame.layout.nb_channels
        self._last_samples = n
        sample_format = frame.format.name
        key = (sample_format, frame.sample_rate, channels)
        if key != self._key:
            yield from self.take()
            self._key = key
            yield from self._change(frame.sample_rate, channels)
        dtype = _DTYPES[sample_format.removesuffix("p")]
        per_plane = n if sample_format.endswith("p") else n * channels
        self._planes.append([np.frombuffer(cast(Any, plane), dtype, per_plane) for plane in frame.planes])
        self._values += n * channels
        if self._values >= min(MAX_BLOCK_VALUES, self._max_s * frame.sample_rate * channels):
            yield from self.take()

    def take(self) -> Iterator[Block]:
        """Give what was gathered as one block, if anything was."""
        if not self._values or self._key is None:
            return
        sample_format, rate, channels = self._key
        planes, self._planes, self._values = self._planes, [], 0
        lost, self._lost = self._lost, 0
        if sample_format.endswith("p"):  # planes stay planes: (n, channels) is a transposed view of them
            rows = [np.concatenate([frame[channel] for frame in planes]) for channel in range(channels)]
            numbers = np.stack(rows).T if channels > 1 else rows[0][:, None]
        else:
            numbers = np.concatenate([frame[0] for frame in planes]).reshape(-1, channels)
        yield Block(to_float32(numbers), rate, lost)

    def _change(self, rate: int, channels: int) -> Iterator[Format]:
        if not 0 < rate <= MAX_RATE or not 0 < channels <= MAX_CHANNELS:
            raise not_audio(self._name, f"{rate} Hz with {channels} channels is outside what is decoded")
        new = Format(self._codec, rate, channels, self._bitrate)
        if new != self._format:
            self._format = new
            yield new


class PacketDecoder:
    """Decodes the packets of one codec; a packet that is broken is passed over and counted.

    Args:
        codec: a key of `DECODERS`.
        name: what to call the source in an error.
        extradata: the codec's own header, where it has one outside its packets.
        bitrate: as the station says it, in bits per second.
        context: FFmpeg's decoder, where a container has made it; the list does not apply then.
        max_s: the longest block.
    """

    def __init__(
        self,
        codec: str,
        *,
        name: str,
        extradata: bytes | None = None,
        bitrate: int | None = None,
        context: AudioCodecContext | None = None,
        max_s: float = MAX_BLOCK_S,
    ) -> None:
        self._name, self._codec = name, codec
        self._parser: AudioCodecContext | None = None
        self._context = context or _make_context(codec, extradata, name)
        self._context.thread_count = 1  # many stations share the cores; two threads for one are slower
        self._builder = BlockBuilder(codec, name=name, bitrate=bitrate, max_s=max_s)
        self._bad_in_a_row = 0
        self.frames = 0
        self.bad_packets = 0

    def decode(self, packets: Iterable[AnyPacket]) -> Iterator[SourceEvent]:
        """Give what the packets hold, joined into one block as far as it is one format."""
        for packet in packets:
            yield from self._decode_one(packet if isinstance(packet, av.Packet) else av.Packet(packet))
        yield from self._builder.take()

    def parse(self, data: bytes | None) -> list[Packet]:
        """Cut a raw stream into packets; None gives the last one."""
        if self._parser is None:
            # One of its own: a parser tells its context of the format that it sees, and it sees
            # ahead of the decoder, whose frames would then name the rate of what comes later.
            self._parser = _make_context(self._codec, None, self._name)
        return self._parser.parse(data)

    def flush(self) -> Iterator[SourceEvent]:
        """Give what the decoder still holds."""
        yield from self._decode_one(None)
        yield from self._builder.take()

    def _decode_one(self, packet: Any) -> Iterator[SourceEvent]:
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError as error:
            self.bad_packets += 1
            self._bad_in_a_row += 1
            if self._bad_in_a_row > MAX_BAD_PACKETS:
                raise broken(self._name, self.frames) from error
            yield from self._builder.lose()
            return
        for frame in frames:
            if frame.samples:
                self.frames += 1
                self._bad_in_a_row = 0
                yield from self._builder.add(frame)


def _make_context(codec: str, extradata: bytes | None, name: str) -> AudioCodecContext:
    if codec not in DECODERS:
        raise not_audio(name, f"'{codec[:40]}' is not decoded here")
    context = cast(AudioCodecContext, av.CodecContext.create(DECODERS[codec], "r"))
    if extradata:
        context.extradata = extradata
    return context


class OggDecoder:
    """Decodes the audio of an Ogg stream; each new logical stream may bring a codec, a rate and a title."""

    def __init__(self, *, name: str, bitrate: int | None = None) -> None:
        self._name, self._bitrate = name, bitrate
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
        audio: list[AnyPacket] = []
        for packet in self._reader.feed(data):
            if packet.first:
                yield from self._decode(audio)
                yield from self._begin(packet)
            elif packet.serial != self._serial:
                if self._serial is None and self._unknown:
                    raise not_audio(self._name, f"holds Ogg {self._unknown}, which is not decoded here")
            elif self._headers_left:
                yield from self._header(packet.data)
            elif packet.data and (self._codec != "flac" or packet.data[0] == 0xFF):
                audio.append(packet.data)
        yield from self._decode(audio)

    def flush(self) -> Iterator[SourceEvent]:
        """Give what the decoder still holds."""
        if self._decoder is not None:
            yield from self._decoder.flush()

    @property
    def frames(self) -> int:
        """How many frames were decoded so far."""
        return self._frames_before + (self._decoder.frames if self._decoder is not None else 0)

    def _decode(self, audio: list[AnyPacket]) -> Iterator[SourceEvent]:
        if audio and self._decoder is not None:
            yield from self._decoder.decode(audio)
            audio.clear()

    def _begin(self, packet: OggPacket) -> Iterator[SourceEvent]:
        """Start a logical stream, unless it runs beside the one that we follow (video, say)."""
        head = packet.data
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
        self._serial, self._codec, self._headers_left = packet.serial, codec, headers_left
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
                self._codec, name=self._name, extradata=self._extradata(), bitrate=self._bitrate
            )

    def _extradata(self) -> bytes:
        if self._codec == "opus":
            return self._headers[0]
        if self._codec == "flac":
            return self._headers[0][17:51]  # STREAMINFO alone
        first, second = self._headers[0], self._headers[1]
        return b"\x02" + _lace(len(first)) + _lace(len(second)) + b"".join(self._headers)


class StreamDecoder:
    """Decodes one stream of unknown codec, as it comes over the network.

    The codec is told from the first bytes. The samples are the same however the bytes are cut.
    `feed` and `flush` are generators: they do their work as they are iterated, so that what a
    few hostile bytes expand to is never held at once.

    Args:
        name: what to call the source in an error; no secrets.
        content_type: what the server calls it, for an error.
        bitrate: as the station says it, in bits per second.
    """

    def __init__(self, *, name: str, content_type: str = "", bitrate: int | None = None) -> None:
        self._name, self._content_type, self._bitrate = name, content_type, bitrate
        self._begun = False
        self._head = bytearray()
        self._skip = 0  # what is left of a leading ID3v2 tag
        self._raw: PacketDecoder | None = None
        self._ogg: OggDecoder | None = None
        self._frames = 0
        self._garbage = 0

    def feed(self, data: bytes) -> Iterator[SourceEvent]:
        """Take any number of bytes, give the events in them.

        Raises:
            NotAudioError: this is nothing that we decode.
            BrokenAudioError: it was, and is no more.
        """
        if self._raw is None and self._ogg is None:
            data = self._begin(data, final=False)
        if data:
            yield from self._decode(data)

    def flush(self) -> Iterator[SourceEvent]:
        """Take the end of the stream; give what is left.

        Raises:
            EmptyAudioError: not a byte ever came.
            NotAudioError: bytes came, and no sample was in them.
        """
        if self._raw is None and self._ogg is None:
            data = self._begin(b"", final=True)
            if data:
                yield from self._decode(data)
        if self._raw is not None:
            yield from self._raw.decode(self._raw.parse(None))
            yield from self._raw.flush()
        elif self._ogg is not None:
            yield from self._ogg.flush()
        if not self._decoded():
            raise not_audio(self._name, "no sample could be decoded", self._content_type)

    def _begin(self, data: bytes, *, final: bool) -> bytes:
        """Find out what this is; give the bytes to decode, none while it is not known."""
        self._begun = self._begun or bool(data)
        self._head += data
        while True:
            skipped = min(self._skip, len(self._head))
            del self._head[:skipped]
            self._skip -= skipped
            if self._skip or (len(self._head) < 10 and not final):
                break
            self._skip = id3_size(bytes(self._head[:10]))
            if not self._skip:
                break
        if self._skip or not self._head:
            if final and self._begun:
                raise not_audio(self._name, "an ID3 tag and no audio after it", self._content_type)
            if final:
                raise EmptyAudioError(f"{self._name}: sends nothing", remedy="check what is sent there")
            return b""
        found = sniff(bytes(self._head), name=self._name, content_type=self._content_type, final=final)
        if found is None:
            return b""
        codec, at = found
        if codec == "ogg":
            self._ogg = OggDecoder(name=self._name, bitrate=self._bitrate)
        else:
            self._raw = PacketDecoder(codec, name=self._name, bitrate=self._bitrate)
        data = bytes(self._head[at:])
        self._head.clear()
        return data

    def _decode(self, data: bytes) -> Iterator[SourceEvent]:
        if self._raw is not None:
            yield from self._raw.decode(self._raw.parse(data))
        elif self._ogg is not None:
            yield from self._ogg.feed(data)
        frames = self._decoded()
        self._garbage = 0 if frames > self._frames else self._garbage + len(data)
        self._frames = frames
        if self._garbage > MAX_GARBAGE:
            raise broken(self._name, frames)

    def _decoded(self) -> int:
        decoder = self._raw or self._ogg
        return decoder.frames if decoder is not None else 0


def broken(name: str, frames: int) -> SourceError:
    """Build the error for bytes that can't be decoded: after audio, or never any."""
    if not frames:
        return not_audio(name, "no sample could be decoded")
    return BrokenAudioError(
        f"{name}: audio began and can no longer be decoded",
        remedy="check with another player what is sent there",
    )


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
