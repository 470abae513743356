"""The station as a player sees it: real time, titles in their places, no harm from those who leave."""

import asyncio
import io
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import av
import numpy as np
import pytest

from streamer.demo.programme import Piece, nothing
from streamer.demo.serve import BURST_S, METAINT, DemoRadio, TitleMixer
from streamer.demo.synth import RATE, length

BYTES_A_SECOND = 16_000

pytestmark = pytest.mark.slow  # real time is what is tested


def hum(rng: np.random.Generator, seconds: float) -> np.ndarray:
    return 0.1 * rng.standard_normal((length(seconds), 2), dtype=np.float32)


SHORT = (Piece("First", 1.2, hum), Piece("It's; the 'second'", 0.6, nothing), Piece("Third", 0.6, hum))
SECONDS = 2.4


@dataclass
class Answer:
    """What came from the station: status line, headers, and the body with arrival times (s, bytes so far)."""

    status: str
    headers: dict[str, str]
    body: bytes
    arrivals: list[tuple[float, int]]


async def listen(url: str, *, titles: bool = False, method: str = "GET", path: str | None = None) -> Answer:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    head = f"{method} {path or address.path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
    writer.write((head + ("Icy-MetaData: 1\r\n" if titles else "") + "\r\n").encode())
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    began, body, arrivals = time.monotonic(), b"", []
    while data := await reader.read(65536):
        body += data
        arrivals.append((time.monotonic() - began, len(body)))
    writer.close()
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return Answer(lines[0], headers, body, arrivals)


def part(body: bytes, metaint: int) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Part a body into audio and (audio bytes before it, text) of each block, as the protocol says."""
    audio, blocks, at = b"", [], 0
    while at < len(body):
        audio += body[at : at + metaint]
        at += metaint
        if at < len(body):
            size = 16 * body[at]
            blocks.append((len(audio), body[at + 1 : at + 1 + size]))
            assert len(blocks[-1][1]) == size, "a block is cut off"
            at += 1 + size
    return audio, blocks


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 30))


def test_the_stream_is_paced_like_live_radio_after_a_burst() -> None:
    async def work() -> Answer:
        async with DemoRadio(SHORT) as radio:
            return await listen(radio.url)

    answer = run(work())

    assert answer.arrivals[0][1] >= 0.8 * BURST_S * BYTES_A_SECOND, "no burst at connect"
    ahead = [sent / BYTES_A_SECOND - at_s for at_s, sent in answer.arrivals]
    assert max(ahead) < BURST_S + 0.3, f"{max(ahead):.2f} s ahead of real time"
    assert SECONDS - BURST_S - 0.3 < answer.arrivals[-1][0] < SECONDS + 2.0


def test_the_stream_is_announced_and_decodes_to_the_whole_programme() -> None:
    async def work() -> Answer:
        async with DemoRadio(SHORT) as radio:
            return await listen(radio.url)

    answer = run(work())

    assert answer.status.endswith("200 OK")
    assert answer.headers["content-type"] == "audio/mpeg"
    assert "icy-metaint" not in answer.headers
    with av.open(io.BytesIO(answer.body), format="mp3") as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / RATE == pytest.approx(SECONDS, abs=0.15)


def test_titles_stand_between_the_bytes_where_their_pieces_begin() -> None:
    async def work() -> tuple[Answer, Answer]:
        async with DemoRadio(SHORT) as radio:
            return tuple(await asyncio.gather(listen(radio.url, titles=True), listen(radio.url)))

    with_titles, plain = run(work())

    metaint = int(with_titles.headers["icy-metaint"])
    audio, blocks = part(with_titles.body, metaint)
    said = [(at, text.rstrip(b"\0").decode()) for at, text in blocks if text]
    assert audio == plain.body
    assert [text for _, text in said] == [f"StreamTitle='{piece.title}';" for piece in SHORT]
    for (at, _), begins_s in zip(said, (0.0, 1.2, 1.8), strict=True):
        late_s = at / BYTES_A_SECOND - begins_s
        assert -0.05 < late_s <= METAINT / BYTES_A_SECOND + 0.05, f"title {late_s:.2f} s late"


def test_who_comes_later_joins_where_the_programme_is() -> None:
    async def work() -> tuple[Answer, Answer]:
        async with DemoRadio(SHORT) as radio:
            first = asyncio.create_task(listen(radio.url))
            await asyncio.sleep(0.8)
            late = await listen(radio.url, titles=True)
            return await first, late

    first, late = run(work())

    audio, blocks = part(late.body, METAINT)
    assert first.body.endswith(audio)
    assert 0.4 < (len(first.body) - len(audio)) / BYTES_A_SECOND < 1.6
    assert blocks[0][1], "the title that plays stands in the first block"


def test_a_client_that_vanishes_does_not_harm_the_others() -> None:
    async def work() -> tuple[Answer, bool]:
        async with DemoRadio(SHORT) as radio:
            address = urlsplit(radio.url)
            other = asyncio.create_task(listen(radio.url))
            for goodbye in (b"", b"GET", b"GET /demo.mp3 HTTP/1.0\r\n\r\n", b"x" * 40_000):
                _, writer = await asyncio.open_connection(address.hostname, address.port)
                writer.write(goodbye)
                await asyncio.sleep(0.05)
                writer.transport.abort()
            answer = await other
            await asyncio.wait_for(radio.done.wait(), 5)
            return answer, radio.done.is_set()

    answer, done = run(work())

    assert len(answer.body) / BYTES_A_SECOND == pytest.approx(SECONDS, abs=0.2)
    assert done


def test_done_is_set_when_the_programme_is_over_and_the_mount_is_gone() -> None:
    async def work() -> tuple[bool, Answer]:
        async with DemoRadio(SHORT) as radio:
            before = radio.done.is_set()
            await listen(radio.url)
            await asyncio.wait_for(radio.done.wait(), 5)
            return before, await listen(radio.url)

    before, after = run(work())

    assert not before
    assert " 404 " in after.status


@pytest.mark.parametrize(("method", "path"), [("GET", "/else"), ("POST", None)])
def test_anything_else_is_not_found_and_does_not_start_the_programme(method: str, path: str | None) -> None:
    async def work() -> tuple[Answer, Answer]:
        async with DemoRadio(SHORT) as radio:
            return await listen(radio.url, method=method, path=path), await listen(radio.url)

    refused, then = run(work())

    assert " 404 " in refused.status
    assert len(then.body) / BYTES_A_SECOND == pytest.approx(SECONDS, abs=0.2)


def test_leaving_the_station_ends_it_within_a_moment() -> None:
    async def work() -> float:
        async with DemoRadio(SHORT) as radio:
            listener = asyncio.create_task(listen(radio.url))
            await asyncio.sleep(0.3)
            began = time.monotonic()
        took = time.monotonic() - began
        await listener
        return took

    assert run(work()) < 1.0


@pytest.mark.parametrize("size", [1, 417, 4000, 4001, 12_500])
def test_blocks_are_in_their_places_whatever_the_frames(size: int) -> None:
    mixer = TitleMixer(4000)
    audio = bytes(range(251)) * 100

    body = b"".join(mixer.mix(audio[at : at + size], "A") for at in range(0, len(audio), size))

    back, blocks = part(body, 4000)
    assert back == audio
    assert [at for at, _ in blocks] == list(range(4000, len(audio), 4000))
    assert [text.rstrip(b"\0") for _, text in blocks] == [b"StreamTitle='A';"] + [b""] * (len(blocks) - 1)
