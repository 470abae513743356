"""The sound card for real: a sound server plays a tone, PortAudio in the child hears it."""

import asyncio
import math
import os
import select
import struct
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import SourceDeviceError
from streamer.flow import Block, Format
from streamer.source.open import open_source
from streamer.source.soundcard import SoundcardSource, list_devices

pytestmark = pytest.mark.system


def pitch_hz(samples: np.ndarray, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        cycle = (int(16_000 * math.sin(2 * math.pi * 440 * n / 44_100)) for n in range(44_100 * 60))
        file.writeframes(b"".join(struct.pack("<h", value) for value in cycle))
    return path


@pytest.fixture
def in_pulse(pulseaudio, monkeypatch: pytest.MonkeyPatch):
    for key, value in pulseaudio.env.items():
        monkeypatch.setenv(key, value)
    return pulseaudio


async def hear(source: SoundcardSource, seconds: float) -> tuple[Format, list[Block]]:
    """Listen until that much sound that is no silence was heard."""
    blocks: list[Block] = []
    heard_s = 0.0
    heard_format = None
    async for event in source.events():
        if isinstance(event, Format):
            heard_format = event
        elif isinstance(event, Block) and np.abs(event.samples).max() > 0.05:
            blocks.append(event)
            heard_s += len(event.samples) / event.rate
            if heard_s >= seconds:
                break
    assert heard_format is not None
    return heard_format, blocks


def test_a_tone_of_440_hz_is_heard_at_440_hz(in_pulse, tone: Path) -> None:
    async def listen() -> tuple[Format, list[Block]]:
        source = open_source("soundcard:")
        try:
            return await hear(source, 2.0)
        finally:
            await source.close()

    with in_pulse.play(tone):
        heard_format, blocks = asyncio.run(asyncio.wait_for(listen(), 20))

    samples = np.concatenate([block.samples for block in blocks])
    assert heard_format.channels == samples.shape[1]
    assert abs(pitch_hz(samples[:, 0], heard_format.rate) - 440) < 2


def test_one_channel_is_one_channel(in_pulse, tone: Path) -> None:
    async def listen() -> tuple[Format, list[Block]]:
        source = open_source("soundcard:default?channel=2")
        try:
            return await hear(source, 0.5)
        finally:
            await source.close()

    with in_pulse.play(tone):
        heard_format, blocks = asyncio.run(asyncio.wait_for(listen(), 20))

    assert heard_format.channels == 1
    assert blocks[0].samples.shape[1] == 1


def test_a_killed_sound_server_is_an_error_within_3_s_and_a_new_source_hears_it_again(
    in_pulse, tone: Path
) -> None:
    async def listen_and_lose() -> float:
        source = open_source("soundcard:")
        try:
            with in_pulse.play(tone):
                await hear(source, 0.5)
            return 0.0
        finally:
            await source.close()

    async def lose() -> float:
        source = open_source("soundcard:")
        killed_at = 0.0
        try:
            async for event in source.events():
                if isinstance(event, Block) and not killed_at:
                    in_pulse.kill()
                    killed_at = time.monotonic()
        except SourceDeviceError:
            return time.monotonic() - killed_at
        finally:
            await source.close()
        raise AssertionError("the source ended without an error")

    took_s = asyncio.run(asyncio.wait_for(lose(), 30))
    assert took_s < 3.0

    in_pulse.start()
    asyncio.run(asyncio.wait_for(listen_and_lose(), 20))


def test_devices_are_listed_with_one_default(in_pulse) -> None:
    devices = list_devices()

    assert any(device.default for device in devices), devices
    assert all(device.channels > 0 and device.rate > 0 for device in devices)


def test_an_unknown_device_is_an_error_that_helps(in_pulse) -> None:
    async def listen() -> None:
        source = open_source("soundcard:no such thing")
        try:
            async for _ in source.events():
                pass
        finally:
            await source.close()

    with pytest.raises(SourceDeviceError, match="no such thing") as caught:
        asyncio.run(listen())
    assert "genrecast devices" in caught.value.remedy


def test_no_child_is_left_behind(in_pulse) -> None:
    async def open_and_close() -> int:
        source = open_source("soundcard:")
        assert isinstance(source, SoundcardSource)
        async for event in source.events():
            if isinstance(event, Block):
                break
        child = source._child
        assert child is not None
        await source.close()
        await source.close()
        return child.pid

    pid = asyncio.run(asyncio.wait_for(open_and_close(), 20))

    assert not Path(f"/proc/{pid}").exists()


def test_a_child_ends_when_its_parent_is_killed(in_pulse) -> None:
    code = (
        "import asyncio, sys\n"
        "from streamer.flow import Block\n"
        "from streamer.source.open import open_source\n"
        "async def run():\n"
        "    source = open_source('soundcard:')\n"
        "    async for event in source.events():\n"
        "        if isinstance(event, Block):\n"
        "            print(source._child.pid, flush=True)\n"
        "            await asyncio.Event().wait()\n"
        "asyncio.run(run())\n"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        descriptor = os.pidfd_open(child)
        parent.kill()

        ended, _, _ = select.select([descriptor], [], [], 5.0)
        os.close(descriptor)

    assert ended, "the capture child outlived its parent"
