"""One HLS segment after another: bytes of a whole segment in, events out, without a seam between them.

MPEG-TS and fMP4 are taken apart by FFmpeg from memory, by a format that we name; the
packets then go to a decoder that lives on from segment to segment.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import av
import av.error

from streamer.errors import BrokenAudioError, SourceError
from streamer.flow import SourceEvent, Title
from streamer.source.decode import StreamDecoder
from streamer.source.id3 import id3_title, split_id3
from streamer.source.mp4 import MAX_SAMPLES, claimed_samples
from streamer.source.packets import DECODERS, PacketDecoder
from streamer.source.skip import Skip
from streamer.source.sniff import not_audio

SLICE = 16 * 1024  # bytes decoded at a time, so that the loop gets its turn within a segment

_SAFE = {
    "protocol_whitelist": "none",  # there is no such protocol: nothing can be opened from inside
    "codec_whitelist": ",".join(DECODERS.values()),
}
_MP4_BOXES = (b"ftyp", b"styp", b"moof", b"sidx", b"emsg", b"prft", b"moov")


@dataclass(frozen=True, slots=True)
class Demuxed:
    """What a segment holds: encoded audio of one codec, and titles."""

    codec: str
    extradata: bytes | None
    packets: list[bytes]
    titles: list[str]


class SegmentDecoder:
    """Decodes the segments of one rendition.

    Args:
        name: what to call the source in an error.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._decoder: StreamDecoder | PacketDecoder | None = None
        self._key: tuple[str, bytes] | None = None  # what it was made for; None: frames with headers
        self._skip = Skip()
        self._title: str | None = None

    def skip(self, seconds: float) -> None:
        """Pass over the next so many seconds undecoded (`StreamDecoder.skip`)."""
        self._skip.ask(seconds)

    def restart(self) -> None:
        """Forget what came before: the next segment has nothing to do with it (EXT-X-DISCONTINUITY)."""
        self._skip.serve("")
        self._decoder = None

    def decode(self, segment: Demuxed) -> Iterator[SourceEvent]:
        """Give the events in a segment.

        Raises:
            SourceError: it is no audio that we decode.
        """
        for title in segment.titles:
            if title != self._title:
                self._title = title
                yield Title(title)
        key = None if segment.extradata is None else (segment.codec, segment.extradata)
        if key != self._key:
            self.restart()
            self._key = key
        if self._decoder is None:
            self._decoder = self._make(*key) if key else StreamDecoder(name=self._name, skip=self._skip)
        if isinstance(self._decoder, PacketDecoder):
            for at in range(0, len(segment.packets), 50):
                yield from self._decoder.decode(segment.packets[at : at + 50])
            return
        data = b"".join(segment.packets)
        for at in range(0, len(data), SLICE):
            yield from self._decoder.feed(data[at : at + SLICE])

    def _make(self, codec: str, extradata: bytes) -> PacketDecoder:
        return PacketDecoder(codec, name=self._name, extradata=extradata, skip=self._skip)


def demux(data: bytes, init: bytes | None, *, name: str) -> Demuxed:
    """Take a whole segment apart. Does no I/O; may take some milliseconds.

    Args:
        data: the segment.
        init: what EXT-X-MAP names, None without one.
        name: what to call the source in an error.

    Raises:
        SourceError: it holds no audio that we decode, or is broken.
    """
    if init is not None or data[4:8] in _MP4_BOXES:
        return _demux_container((init or b"") + data, "mp4", name)
    if data[:1] == b"\x47" and data[188:189] in (b"\x47", b""):
        return _demux_container(data, "mpegts", name)
    title, audio = split_id3(data)
    return Demuxed("", None, [audio], [title] if title else [])


def _demux_container(data: bytes, container_format: str, name: str) -> Demuxed:
    titles: list[str] = []
    packets: list[bytes] = []
    if container_format == "mp4" and claimed_samples(data) > MAX_SAMPLES:
        raise _broken(name, container_format)
    try:
        with av.open(io.BytesIO(data), "r", format=container_format, options=dict(_SAFE)) as container:
            if not container.streams.audio:
                raise not_audio(name, "its segments have no audio track")
            audio = container.streams.audio[0]
            codec = getattr(audio.codec_context, "name", "unknown")  # FFmpeg may know none
            codec = "mp3" if codec.startswith("mp3") else codec
            if codec not in DECODERS:
                raise not_audio(name, f"'{codec[:40]}' is not decoded here")
            extradata = audio.codec_context.extradata if container_format == "mp4" else None
            if container_format == "mp4" and codec == "mp3":
                extradata = None
            wanted = [audio, *(stream for stream in container.streams if stream.type == "data")]
            for packet in container.demux(wanted):
                if not packet.size:
                    continue
                raw = bytes(cast(Any, packet))
                if packet.stream.index == audio.index:
                    packets.append(raw)
                elif title := id3_title(raw):
                    titles.append(title)
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        # The last two are PyAV's: for an empty container, for a track that begins in the middle.
        raise _broken(name, container_format) from error
    return Demuxed(codec, extradata, packets, titles)


def _broken(name: str, container_format: str) -> SourceError:
    return BrokenAudioError(
        f"{name}: a segment can't be taken apart as {container_format}",
        remedy="check with another player what is sent there",
    )
