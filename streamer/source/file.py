"""Media files: a path in, events out, memory bounded whatever the length.

`read_file` is for loops (classify, training), `FileSource` for stations.

FFmpeg reads the bytes from a file that we opened and learns no name; demuxers that open
other files (playlists, concat scripts) are not on its list.
"""

import asyncio
import io
import stat
from collections.abc import AsyncGenerator, Generator, Iterator
from pathlib import Path
from typing import Any, Literal

import av
import av.error
from av.container import InputContainer

from streamer.errors import (
    BrokenAudioError,
    EmptyAudioError,
    NotAudioError,
    SourceError,
    SourceNotFoundError,
)
from streamer.flow import Block, SourceEvent, Title
from streamer.source.base import Source
from streamer.source.packets import PacketDecoder
from streamer.source.sniff import TEXT_BYTES, looks_like_text
from streamer.source.titles import clean_title, join_title

SLICE_S = 1.0  # of audio at a time: a millisecond or two of decoding
LIVE_SLICE_S = 0.25  # when paced, as a live source would send it

_DEMUXERS = (
    "mp3,aac,flac,ogg,wav,w64,aiff,caf,au,mov,mp4,matroska,webm,mpegts,mpeg,avi,asf,flv,ac3,eac3,wv,amr"
)
_CODECS = (
    "mp3,mp3float,mp2,mp2float,aac,opus,vorbis,flac,alac,wavpack,wmav1,wmav2,ac3,eac3,amrnb,amrwb,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_u8,pcm_s8,pcm_f32le,pcm_f32be,"
    "pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd,adpcm_ms,adpcm_ima_wav,adpcm_ima_qt"
)
_OPTIONS = {
    "format_whitelist": _DEMUXERS,
    "codec_whitelist": _CODECS,
    "protocol_whitelist": "none",  # there is no such protocol: nothing else can be opened
}

Pace = Literal["max", "live"]


def read_file(path: Path, *, slice_s: float = SLICE_S) -> Generator[SourceEvent, None, None]:
    """Decode the first audio track of a file: a `Title` where it has one, a `Format`, blocks.

    Args:
        path: a regular file of any common format, video with sound too.
        slice_s: the longest block.

    Raises:
        SourceNotFoundError: there is no such file, or it may not be read.
        EmptyAudioError: it has no bytes, or an audio track without audio.
        NotAudioError: it is a folder, text, an image, a video without sound, a codec that is not decoded.
        BrokenAudioError: it can't be read or decoded beyond some point.
    """
    name = path.name or str(path)
    with _open_regular(path, name) as file:
        head = _read_head(file, name)
        if not head:
            raise EmptyAudioError(f"{name}: an empty file", remedy="give a file with audio in it", final=True)
        if looks_like_text(head):
            raise _not_audio(name, "is text, not audio")
        file.seek(0)
        with _open_container(file, name) as container:
            yield from _read_container(container, name, slice_s)


def _read_head(file: io.BufferedReader, name: str) -> bytes:
    try:
        return file.read(TEXT_BYTES)
    except OSError as error:
        raise BrokenAudioError(
            f"{name}: can't be read: {error.strerror}", remedy="check the disk", final=True
        ) from error


def _read_container(container: InputContainer, name: str, slice_s: float) -> Iterator[SourceEvent]:
    if not container.streams.audio:
        raise _not_audio(name, "has no audio track")
    stream = container.streams.audio[0]
    codec = getattr(stream.codec_context, "name", "unknown")  # there is no context where FFmpeg knows none
    if codec not in _CODECS.split(","):
        raise _not_audio(name, f"its audio is '{codec[:40]}', which is not decoded here")
    told = {**stream.metadata, **container.metadata}  # Ogg has its comments at the track, the others don't
    metadata = {key.lower(): clean_title(value) for key, value in told.items()}
    if title := join_title(metadata.get("artist", ""), metadata.get("title", "")):
        yield Title(title)
    decoder = PacketDecoder(
        codec.removesuffix("float"),
        name=name,
        bitrate=stream.codec_context.bit_rate or container.bit_rate or None,
        context=stream.codec_context,
        max_s=slice_s,
    )
    try:
        yield from decoder.decode(container.demux(stream))
    except (av.error.FFmpegError, OSError) as error:
        if decoder.frames or not isinstance(error, av.error.FFmpegError):
            raise BrokenAudioError(
                f"{name}: can't be read beyond some point: {error.strerror}",
                remedy="copy the file again or mend it",
                final=True,
            ) from error
    except SourceError as error:
        error.final = True
        raise
    if not decoder.frames:
        if decoder.bad_packets:
            raise _not_audio(name, "no sample could be decoded")
        raise EmptyAudioError(
            f"{name}: its audio track is empty", remedy="give a file with audio in it", final=True
        )


class FileSource(Source):
    """A media file as a source.

    Args:
        path: the file.
        pace: `max` as fast as it is taken, `live` as fast as it would be heard.
    """

    live = False

    def __init__(self, path: Path, *, pace: Pace = "max") -> None:
        self._pace = pace
        self._reader = read_file(path, slice_s=LIVE_SLICE_S if pace == "live" else SLICE_S)
        self._reading: asyncio.Future[SourceEvent | None] | None = None

    async def events(self) -> AsyncGenerator[SourceEvent, None]:
        """Give the events of the file, then end. Disk and decoder work beside the loop, not on it."""
        loop = asyncio.get_running_loop()
        begun, position_s = loop.time(), 0.0
        while True:
            self._reading = loop.run_in_executor(None, next, self._reader, None)
            event = await asyncio.shield(self._reading)
            if event is None:
                return
            if isinstance(event, Block) and self._pace == "live":
                position_s += len(event.samples) / event.rate
                await asyncio.sleep(begun + position_s - loop.time())
            yield event

    async def close(self) -> None:
        """Close the file, after the slice that is being read."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
            if not self._reading.cancelled():
                self._reading.exception()
        self._reader.close()


class _Nameless:
    """A file as FFmpeg gets it: bytes without a name, which it could take for a hint or an address."""

    def __init__(self, file: io.BufferedReader) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _open_regular(path: Path, name: str) -> io.BufferedReader:
    """Open a file that is one: a pipe would block, a folder has no bytes."""
    remedy = "give the path of a media file"
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise NotAudioError(f"{name}: is a folder, not a file", remedy=remedy, final=True)
        if not stat.S_ISREG(mode):
            raise NotAudioError(
                f"{name}: is no regular file", remedy="pipe raw PCM into 'stdin:' instead", final=True
            )
        return path.open("rb")
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"{path}: no such file", remedy=remedy, final=True) from error
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or "not a path"
        raise SourceNotFoundError(f"{path}: can't be opened: {said}", remedy=remedy, final=True) from error


def _open_container(file: io.BufferedReader, name: str) -> InputContainer:
    source: Any = _Nameless(file)
    try:
        container: InputContainer = av.open(source, "r", options=dict(_OPTIONS), metadata_errors="replace")
        return container
    except (av.error.FFmpegError, ValueError) as error:
        raise _not_audio(name, "is no audio or video file that is known here") from error


def _not_audio(name: str, what: str) -> NotAudioError:
    return NotAudioError(
        f"{name}: {what}",
        remedy="give a file of MP3, AAC, Ogg, FLAC, WAV, AIFF, MP4, Matroska or the like",
        final=True,
    )
