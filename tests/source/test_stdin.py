import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import listen
from tones import cut, formats_of, samples_of

from streamer.errors import SourceNotFoundError
from streamer.flow import SourceEvent
from streamer.source.open import open_source
from streamer.source.pcm import PCM_BYTES, pcm_to_samples
from streamer.source.stdin import PcmReader

RAMP = np.linspace(-1.0, 1.0, 400, endpoint=False).reshape(-1, 2)


def pcm(pcm_format: str) -> bytes:
    """Write the ramp as raw PCM."""
    if pcm_format == "u8":
        return (np.round(RAMP * 128) + 128).astype(np.uint8).tobytes()
    if pcm_format == "s24le":
        wide = np.round(RAMP * (1 << 23)).astype("<i4")
        return wide.reshape(-1, 1).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    if pcm_format.startswith("f"):
        return RAMP.astype({"f32le": "<f4", "f64le": "<f8"}[pcm_format]).tobytes()
    dtype = {"s16le": "<i2", "s16be": ">i2", "s32le": "<i4"}[pcm_format]
    return np.round(RAMP * (1 << (8 * PCM_BYTES[pcm_format] - 1))).astype(dtype).tobytes()


@pytest.mark.parametrize("pcm_format", PCM_BYTES)
def test_every_format_gives_the_same_samples(pcm_format: str) -> None:
    samples = pcm_to_samples(pcm(pcm_format), pcm_format, 2)

    assert samples.dtype == np.float32
    assert np.abs(samples - RAMP).max() <= (1 / 128 if pcm_format == "u8" else 1 / 32768)


@given(st.sampled_from(sorted(PCM_BYTES)), st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_odd_byte_boundaries_give_the_same_samples(pcm_format: str, sizes: list[int]) -> None:
    data = pcm(pcm_format)
    reader = PcmReader(44_100, 2, pcm_format)

    blocks = [block for piece in cut(data, sizes) if (block := reader.feed(piece))]

    assert np.array_equal(
        np.concatenate([block.samples for block in blocks]), pcm_to_samples(data, pcm_format, 2)
    )


def test_what_is_no_number_is_silence() -> None:
    data = np.array([np.nan, np.inf, -np.inf, 0.5], "<f4").tobytes()

    assert pcm_to_samples(data, "f32le", 1)[:, 0].tolist() == [0.0, 0.0, 0.0, 0.5]
    assert pcm_to_samples(np.array([1e300], "<f8").tobytes(), "f64le", 1)[0, 0] == 0.0


def hear_stdin(
    monkeypatch: pytest.MonkeyPatch, file: int, uri: str
) -> tuple[list[SourceEvent], Exception | None]:
    with os.fdopen(file, "rb") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        return asyncio.run(asyncio.wait_for(listen(open_source(uri)), 20))


def test_a_pipe_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    data = np.arange(200_000, dtype="<i2").tobytes()
    read, write = os.pipe()

    def feed() -> None:
        with os.fdopen(write, "wb", buffering=0) as pipe:
            for piece in cut(data, [1, 4095, 70_001]):
                pipe.write(piece)

    thread = threading.Thread(target=feed)
    thread.start()
    events, error = hear_stdin(monkeypatch, read, "stdin:?rate=48000&channels=1")
    thread.join()

    assert error is None
    assert formats_of(events)[0].rate == 48_000
    assert np.array_equal(samples_of(events), pcm_to_samples(data, "s16le", 1))


def test_a_redirected_file_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(pcm("f32le"))

    events, error = hear_stdin(monkeypatch, os.open(path, os.O_RDONLY), "stdin:?format=f32le")

    assert error is None
    assert np.abs(samples_of(events) - RAMP).max() < 1e-6


def test_nothing_on_standard_input_just_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    events, error = hear_stdin(monkeypatch, os.open(os.devnull, os.O_RDONLY), "stdin:")

    assert error is None
    assert len(events) == 1


def test_no_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    _, error = asyncio.run(listen(open_source("stdin:")))

    assert isinstance(error, SourceNotFoundError)


def test_closing_ends_a_pipe_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()

    async def run() -> None:
        source = open_source("stdin:?format=s16le&channels=2")
        events = source.events()
        await anext(events)
        os.write(write, b"\1\2\3")  # less than a frame
        waiting = asyncio.create_task(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await source.close()
        os.close(write)

    with os.fdopen(read, "rb") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        asyncio.run(run())


def test_a_terminal_is_refused_with_a_remedy() -> None:
    code = (
        "import asyncio, os, pty, sys\n"
        "main, side = pty.openpty(); os.dup2(side, 0)\n"
        "from streamer.source.open import open_source\n"
        "async def run():\n"
        "    async for _ in open_source('stdin:').events(): pass\n"
        "asyncio.run(run())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )

    assert "is a terminal" in done.stderr
