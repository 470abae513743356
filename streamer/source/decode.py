"""Bytes to blocks: one stream of MP3, AAC or Ogg in, formats, titles and samples out.

Nothing here opens anything: bytes are pushed in as they arrive and events come out.
"""

from collections.abc import Iterator

from streamer.errors import EmptyAudioError
from streamer.flow import SourceEvent
from streamer.source.frames import FrameCodec, FrameCutter
from streamer.source.id3 import id3_size
from streamer.source.ogg_decode import OggDecoder
from streamer.source.packets import PacketDecoder, broken
from streamer.source.skip import Skip
from streamer.source.sniff import SNIFF_BYTES, not_audio, sniff

MAX_GARBAGE = 256 * 1024  # bytes without a sample; a cover picture is shorter


class FramedDecoder:
    """Decodes MP3 or AAC as it comes over the network: frames one after another.

    Args:
        codec: which of the two.
        name: what to call the source in an error.
        bitrate: as the station says it, in bits per second.
        skip: what is to be passed over.
    """

    def __init__(self, codec: FrameCodec, *, name: str, bitrate: int | None, skip: Skip) -> None:
        self._cutter = FrameCutter(codec)
        self._decoder = PacketDecoder(codec, name=name, bitrate=bitrate, skip=skip)

    @property
    def frames(self) -> int:
        """How many frames were decoded so far, or passed over."""
        return self._decoder.frames

    def feed(self, data: bytes) -> Iterator[SourceEvent]:
        """Take any number of bytes, give the events in them."""
        return self._decoder.decode_runs(self._cutter.feed(data))

    def flush(self) -> Iterator[SourceEvent]:
        """Give what is left at the end."""
        yield from self._decoder.decode_runs(self._cutter.feed(b"", final=True))
        yield from self._decoder.flush()


class StreamDecoder:
    """Decodes one stream of unknown codec, as it comes over the network.

    The codec is told from the first bytes. The samples are the same however the bytes are cut.
    `feed` and `flush` are generators: they do their work as they are iterated, so that what a
    few hostile bytes expand to is never held at once.

    Args:
        name: what to call the source in an error; no secrets.
        content_type: what the server calls it, for an error.
        bitrate: as the station says it, in bits per second.
        skip: what is to be passed over, where decoders before this one have shared it.
    """

    def __init__(
        self, *, name: str, content_type: str = "", bitrate: int | None = None, skip: Skip | None = None
    ) -> None:
        self._name, self._content_type, self._bitrate = name, content_type, bitrate
        self._begun = False
        self._head = bytearray()
        self._tag_left = 0  # of an ID3v2 tag before the audio
        self._looked = 0  # bytes of the head in which no codec could be told
        self._skip = skip or Skip()
        self._decoder: FramedDecoder | OggDecoder | None = None
        self._frames = 0
        self._garbage = 0

    def skip(self, seconds: float) -> None:
        """Pass over the next so many seconds undecoded, where the codec allows; more, where some are left.

        MP3, AAC and Opus do (`PacketDecoder.skip`); Vorbis and FLAC are decoded all the same.
        """
        self._skip.ask(seconds)

    def feed(self, data: bytes) -> Iterator[SourceEvent]:
        """Take any number of bytes, give the events in them.

        Raises:
            NotAudioError: this is nothing that we decode.
            BrokenAudioError: it was, and is no more.
        """
        if self._decoder is None:
            data = self._begin(data, final=False)
        if self._decoder is None or not data:
            return
        yield from self._decoder.feed(data)
        frames = self._decoder.frames
        self._garbage = 0 if frames > self._frames else self._garbage + len(data)
        self._frames = frames
        if self._garbage > MAX_GARBAGE:
            raise broken(self._name, frames)

    def flush(self) -> Iterator[SourceEvent]:
        """Take the end of the stream; give what is left.

        Raises:
            EmptyAudioError: not a byte ever came.
            NotAudioError: bytes came, and no sample was in them.
        """
        if self._decoder is None:
            data = self._begin(b"", final=True)
            if self._decoder is not None:
                yield from self._decoder.feed(data)
        if self._decoder is not None:
            yield from self._decoder.flush()
        if not self._decoder or not self._decoder.frames:
            raise not_audio(self._name, "no sample could be decoded", self._content_type)

    def _begin(self, data: bytes, *, final: bool) -> bytes:
        """Find out what this is; give the bytes to decode, none while it is not known."""
        self._begun = self._begun or bool(data)
        self._head += data
        while True:
            passed = min(self._tag_left, len(self._head))
            del self._head[:passed]
            self._tag_left -= passed
            if self._tag_left or (len(self._head) < 10 and not final):
                break
            self._tag_left = id3_size(bytes(self._head[:10]))
            if not self._tag_left:
                break
        if self._tag_left or not self._head:
            if final and self._begun:
                raise not_audio(self._name, "an ID3 tag and no audio after it", self._content_type)
            if final:
                raise EmptyAudioError(f"{self._name}: sends nothing", remedy="check what is sent there")
            return b""
        if not final and len(self._head) < min(2 * self._looked, SNIFF_BYTES):
            return b""  # each look is at all of it: as many as bytes come would take a core
        self._looked = len(self._head)
        found = sniff(bytes(self._head), name=self._name, content_type=self._content_type, final=final)
        if found is None:
            return b""
        codec, at = found
        if codec == "ogg":
            self._decoder = OggDecoder(name=self._name, bitrate=self._bitrate, skip=self._skip)
        else:
            self._decoder = FramedDecoder(codec, name=self._name, bitrate=self._bitrate, skip=self._skip)
        data = bytes(self._head[at:])
        self._head.clear()
        return data
