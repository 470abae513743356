"""Raw PCM on standard input: what `arecord`, `pw-record` or `ffmpeg` write into a pipe, as blocks."""

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator
from typing import IO

from streamer.errors import SourceNotFoundError
from streamer.flow import Block, Format, SourceEvent
from streamer.source.base import Source
from streamer.source.pcm import PCM_BYTES, pcm_to_samples

READ_BYTES = 64 * 1024  # a pipe holds as much


class PcmReader:
    """Cuts bytes into whole sample frames; what is left waits for more."""

    def __init__(self, rate: int, channels: int, pcm_format: str) -> None:
        self.rate, self.channels, self.pcm_format = rate, channels, pcm_format
        self._frame_bytes = PCM_BYTES[pcm_format] * channels
        self._rest = b""

    def feed(self, data: bytes) -> Block | None:
        """Take any number of bytes, give the whole frames among them."""
        data = self._rest + data
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        if not whole:
            return None
        return Block(pcm_to_samples(data[:whole], self.pcm_format, self.channels), self.rate)


class StdinSource(Source):
    """Standard input as a source.

    Args:
        rate: in Hz.
        channels: interleaved.
        pcm_format: a key of `PCM_BYTES`.
    """

    live = False

    def __init__(self, *, rate: int = 44_100, channels: int = 2, pcm_format: str = "s16le") -> None:
        self._reader = PcmReader(rate, channels, pcm_format)
        self._pipe: IO[bytes] | None = None
        self._transport: asyncio.ReadTransport | None = None

    async def events(self) -> AsyncGenerator[SourceEvent, None]:
        """Give blocks as they come, until the input ends."""
        reader = self._reader
        self._open()
        yield Format(f"pcm_{reader.pcm_format}", reader.rate, reader.channels)
        async for data in self._bytes():
            block = reader.feed(data)
            if block is not None:
                yield block

    def _open(self) -> None:
        """Take standard input, where it is something that audio can come from."""
        try:
            file = os.dup(sys.stdin.fileno())  # what is closed at the end is ours
        except (AttributeError, OSError, ValueError) as error:
            raise SourceNotFoundError(
                "stdin: there is no standard input",
                remedy="pipe raw PCM in, or use another source",
                final=True,
            ) from error
        self._pipe = os.fdopen(file, "rb", buffering=0)
        if self._pipe.isatty():
            raise SourceNotFoundError(
                "stdin: standard input is a terminal, not audio",
                remedy="pipe raw PCM in, such as: arecord -f cd -t raw | genrecast run --source stdin:",
                final=True,
            )

    async def _bytes(self) -> AsyncGenerator[bytes, None]:
        assert self._pipe is not None
        mode = os.fstat(self._pipe.fileno()).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            stream = asyncio.StreamReader(limit=READ_BYTES)
            protocol = asyncio.StreamReaderProtocol(stream)
            loop = asyncio.get_running_loop()
            self._transport, _ = await loop.connect_read_pipe(lambda: protocol, self._pipe)
            while data := await stream.read(READ_BYTES):
                yield data
        else:  # a file or a device is always "ready" and may block: it is read beside the loop
            while data := await asyncio.to_thread(self._read):
                yield data

    def _read(self) -> bytes:
        try:
            return self._pipe.read(READ_BYTES) or b"" if self._pipe else b""
        except (OSError, ValueError):  # closed while reading
            return b""

    async def close(self) -> None:
        """Let go of our copy of standard input."""
        if self._transport is not None:
            self._transport.close()  # closes the pipe too
            self._transport = None
            await asyncio.sleep(0)
        elif self._pipe is not None:
            self._pipe.close()
        self._pipe = None
