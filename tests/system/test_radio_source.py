"""Radio for real: Icecast with ffmpeg as its source, and HLS that ffmpeg makes."""

import asyncio
import contextlib
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from streamer.errors import SourceEndedError, SourceError, SourceNotFoundError
from streamer.flow import Block, Format, SourceEvent, Title
from streamer.source.open import open_source
from tests.source.loopback import listen as listen_to

pytestmark = pytest.mark.system


def pitch_hz(blocks: list[Block]) -> float:
    samples = np.concatenate([block.samples[:, 0] for block in blocks])
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * blocks[0].rate / len(samples))


async def hear(url: str, seconds: float, *, charset: str = "latin-1") -> list[SourceEvent]:
    """Listen until that much audio has come."""
    events, error = await listen_to(open_source(url, charset=charset), until_s=seconds)
    if error is not None:
        raise error
    return events


def blocks_of(events: list[SourceEvent]) -> list[Block]:
    return [event for event in events if isinstance(event, Block)]


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("codec", ["mp3", "aac", "opus"])
def test_a_tone_on_icecast_is_heard_at_its_pitch(icecast, codec: str, rate: int) -> None:
    with icecast.source("live", codec, rate) as url:
        events = asyncio.run(asyncio.wait_for(hear(url, 2.0), 30))

    formats = [event for event in events if isinstance(event, Format)]
    assert [(f.codec, f.rate, f.channels) for f in formats] == [
        (codec, 48_000 if codec == "opus" else rate, 2)
    ]
    assert abs(pitch_hz(blocks_of(events)) - 440) < 2


def test_a_title_set_on_icecast_arrives_in_the_stream(icecast) -> None:
    async def listen(url: str) -> str:
        source = open_source(url)
        try:
            async for event in source.events():
                if isinstance(event, Block):
                    await asyncio.to_thread(icecast.title, "live", "Björk - It's Oh So Quiet; Live")
                    break
            async for event in source.events():
                if isinstance(event, Title) and event.text:
                    return event.text
        finally:
            await source.close()
        raise AssertionError

    with icecast.source("live", "mp3") as url:
        text = asyncio.run(asyncio.wait_for(listen(url), 60))

    assert text == "Björk - It's Oh So Quiet; Live"


def test_a_mount_that_goes_ends_the_source_and_comes_back_with_another_rate(icecast) -> None:
    async def until_the_end(url: str, mount) -> None:
        source = open_source(url)
        try:
            async for event in source.events():
                if isinstance(event, Block) and mount is not None:
                    mount.close()
                    mount = None
        finally:
            await source.close()

    mount = contextlib.ExitStack()
    url = mount.enter_context(icecast.source("live", "mp3", 44_100))
    with pytest.raises(SourceEndedError):
        asyncio.run(asyncio.wait_for(until_the_end(url, mount), 60))
    with pytest.raises(SourceNotFoundError) as gone:
        asyncio.run(hear(url, 1.0))
    assert not gone.value.final

    with icecast.source("live", "mp3", 48_000):
        events = asyncio.run(asyncio.wait_for(hear(url, 1.0), 30))
    assert next(event.rate for event in events if isinstance(event, Format)) == 48_000


def test_a_killed_server_is_an_error(icecast) -> None:
    async def lose(url: str) -> None:
        source = open_source(url)
        try:
            async for event in source.events():
                if isinstance(event, Block):
                    icecast.kill()
        finally:
            await source.close()

    with contextlib.ExitStack() as stack:
        url = stack.enter_context(icecast.source("live", "mp3"))
        with pytest.raises(SourceError) as lost:
            asyncio.run(asyncio.wait_for(lose(url), 30))
    assert lost.value.code in ("source-ended", "source-connection")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def folder_on_http(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield tmp_path, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


HLS = {
    "mpegts": ["-hls_segment_type", "mpegts", "-c:a", "aac"],
    "mpegts-mp3": ["-hls_segment_type", "mpegts", "-c:a", "libmp3lame"],
    "fmp4": ["-hls_segment_type", "fmp4", "-c:a", "aac"],
    "fmp4-byterange": ["-hls_segment_type", "fmp4", "-hls_flags", "single_file", "-c:a", "aac"],
}


@pytest.mark.parametrize("kind", HLS)
def test_hls_is_heard_without_a_seam(
    folder_on_http: tuple[Path, str], ffmpeg: Callable[..., None], kind: str
) -> None:
    folder, base = folder_on_http
    tone = "sine=frequency=440:sample_rate=44100:duration=9"
    segments = ["-f", "hls", "-hls_time", 2, "-hls_list_size", 0, folder / "live.m3u8"]
    ffmpeg("-f", "lavfi", "-i", tone, "-ac", 2, *HLS[kind], *segments)
    (folder / "master.m3u8").write_text(
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS="mp4a.40.2"\nlive.m3u8\n'
    )

    async def listen() -> list[SourceEvent]:
        events, error = await listen_to(open_source(f"{base}/master.m3u8"))
        assert isinstance(error, SourceEndedError), "it just stopped"
        return events

    events = asyncio.run(asyncio.wait_for(listen(), 60))

    blocks = blocks_of(events)
    samples = np.concatenate([block.samples[:, 0] for block in blocks])
    assert sum(isinstance(event, Format) for event in events) == 1
    assert abs(len(samples) / 44_100 - 9) < 0.1
    assert abs(pitch_hz(blocks) - 440) < 1
    # A seam would be a click: a step between samples that no 440 Hz sine of this level has.
    middle = samples[4410:-8820]
    assert np.abs(np.diff(middle)).max() < 3 * 2 * np.pi * 440 / 44_100 * np.abs(middle).max() / 2
