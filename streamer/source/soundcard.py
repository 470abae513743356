"""The sound card as a source: a child captures (see `capture`), this reads what it writes, and ends it."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamer.errors import SourceDeviceError
from streamer.flow import Block, Format, SourceEvent
from streamer.source import capture
from streamer.source.base import Source
from streamer.source.pcm import MAX_CHANNELS, MAX_RATE, to_float32

OPEN_S = 10.0  # for Python to start, PortAudio to ask every device and the sound server to answer
SILENT_S = 2.0  # between two chunks of 50 ms: the sound server is dead; `no-signal` comes within 3 s
MAX_CHUNK = 1 << 22

# By path, and -P: it imports nothing of ours and must find nothing else in the working folder.
_COMMAND = [sys.executable, "-P", capture.__file__]
_REMEDY = "see 'genrecast devices'; where there is no sound card, pipe PCM into 'stdin:'"


@dataclass(frozen=True, slots=True)
class Device:
    """A device that records, as PortAudio sees it."""

    index: int
    name: str
    host_api: str
    channels: int
    rate: int
    default: bool


class SoundcardSource(Source):
    """A device that records, at its own rate.

    Args:
        device: name or part of it, or index; empty for the default.
        channel: the one channel to take, counted from 1; None for all.
        rate: in Hz; None for the device's own.
    """

    live = True
    retry_cap_s = 5.0  # asking costs nobody else anything, and a card that is plugged in is wanted soon
    stall_s = 2 * OPEN_S  # it watches itself more closely than this

    def __init__(self, device: str = "", *, channel: int | None = None, rate: int | None = None) -> None:
        self._device, self._channel, self._rate = device, channel, rate
        self._name = f"soundcard '{device[:60]}'" if device else "soundcard"
        self._child: asyncio.subprocess.Process | None = None

    async def events(self) -> AsyncGenerator[SourceEvent, None]:
        """Give blocks of 50 ms until the device or the sound server goes away."""
        arguments = [f"--device={self._device}"]
        arguments += [f"--channel={self._channel}"] if self._channel else []
        arguments += [f"--rate={self._rate}"] if self._rate else []
        self._child = child = await asyncio.create_subprocess_exec(
            *_COMMAND,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # ALSA talks a lot
        )
        assert child.stdout is not None
        opened = await self._opened(child.stdout)
        rate, channels = int(opened["rate"]), int(opened["channels"])
        if not 0 < rate <= MAX_RATE:
            raise SourceDeviceError(f"{self._name}: opens at {rate} Hz", remedy="give ?rate=48000")
        kept = slice(self._channel - 1, self._channel) if self._channel else slice(0, MAX_CHANNELS)
        yield Format("pcm_f32le", rate, 1 if self._channel else min(channels, MAX_CHANNELS))
        patience_s = OPEN_S
        while True:
            lost, data = await self._chunk(child.stdout, patience_s)
            patience_s = SILENT_S
            samples = np.frombuffer(data, np.float32).reshape(-1, channels)[:, kept]
            if len(samples):
                yield Block(to_float32(samples), rate, lost)

    async def close(self) -> None:
        """End the child. It holds nothing that needs saving, and PortAudio may hang: it is killed."""
        child, self._child = self._child, None
        if child is None:
            return
        with suppress(ProcessLookupError):
            child.kill()
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()
        if child.stdout is not None:
            with suppress(TimeoutError, ValueError):
                async with asyncio.timeout(1.0):  # reads to the end, so that the pipe's transport closes
                    while await child.stdout.read(MAX_CHUNK):
                        pass

    async def _opened(self, out: asyncio.StreamReader) -> dict[str, Any]:
        try:
            async with asyncio.timeout(OPEN_S):
                line = await out.readline()
        except TimeoutError as error:
            raise SourceDeviceError(
                f"{self._name}: did not open within {OPEN_S:g} s",
                remedy="check that the sound server answers",
            ) from error
        return _answer(line, self._name)

    async def _chunk(self, out: asyncio.StreamReader, patience_s: float) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(patience_s):
                lost, size = capture.CHUNK.unpack(await out.readexactly(capture.CHUNK.size))
                return lost, await out.readexactly(min(size, MAX_CHUNK))
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            raise SourceDeviceError(
                f"{self._name}: gives no more audio; the device or the sound server went away",
                remedy="it is tried again by itself; check that the device is there",
            ) from error


def list_devices() -> list[Device]:
    """Ask a child for every device that records; a sound system that hangs can't hang the caller.

    Raises:
        SourceDeviceError: PortAudio is missing, or gave no answer.
    """
    try:
        done = subprocess.run(
            [*_COMMAND, "--list"], stdin=subprocess.DEVNULL, capture_output=True, timeout=OPEN_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise SourceDeviceError(
            f"soundcard: no answer within {OPEN_S:g} s", remedy="check that the sound server answers"
        ) from error
    return [Device(**device) for device in _answer(done.stdout, "soundcard")["devices"]]


def _answer(line: bytes, name: str) -> dict[str, Any]:
    """Read the child's first line; raise what it says went wrong."""
    try:
        said: dict[str, Any] = json.loads(line.partition(b"\n")[0])
    except ValueError:
        said = {"error": "the sound system crashed while it was asked"}
    if "error" in said:
        raise SourceDeviceError(f"{name}: {said['error']}", remedy=said.get("remedy", _REMEDY))
    return said
