"""How often a station wakes us, and that nothing waits for ever."""

import asyncio
from collections.abc import Callable

import pytest
from loopback import Handler, listen, ok, serve
from test_icy import interleave
from tones import cut, encode, samples_of

from streamer.flow import Block, SourceEvent
from streamer.source.address import AddressPolicy
from streamer.source.open import open_source
from streamer.source.radio import RadioSource
from streamer.source.wake import FRAME_S, LATE_S, LONGEST_S, MAX_BYTES, QUIETEST, SHORTEST_S, Meter
from streamer.source.wire import READ_BYTES, connect

BYTE_RATE = 16_000  # of the tone below


def audio() -> bytes:
    return encode("mp3", seconds=8.0)


def dripping(data: bytes, *, after_s: float = 2.0) -> Handler:
    """Send some audio at once, then the rest bit by bit, far faster than it plays."""

    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        first = int(after_s * BYTE_RATE)
        writer.write(ok(data[:first]))
        for piece in cut(data[first:], [1600]):
            await writer.drain()
            await asyncio.sleep(0.004)
            writer.write(piece)

    return handler


def hear(handler: Handler, on_block: Callable[[RadioSource, Block], None]) -> list[SourceEvent]:
    async def run() -> list[SourceEvent]:
        async with serve(handler) as base:
            source = open_source(f"{base}/live")
            assert isinstance(source, RadioSource)
            events = []
            try:
                async for event in source.events():
                    events.append(event)
                    if isinstance(event, Block):
                        on_block(source, event)
            except Exception:
                return events
            finally:
                await source.close()
            raise AssertionError("it just stopped")

    return asyncio.run(asyncio.wait_for(run(), 60))


def blocks_of(events: list[SourceEvent]) -> list[Block]:
    return [event for event in events if isinstance(event, Block)]


@pytest.mark.parametrize(("wanted_s", "least", "most"), [(0.0, 20, 80), (1.0, 5, 8), (0.5, 8, 15)])
def test_one_wake_gives_as_much_as_is_wanted(wanted_s: float, least: int, most: int) -> None:
    def on_block(source: RadioSource, _: Block) -> None:
        source.wanted_s = wanted_s

    blocks = blocks_of(hear(dripping(audio()), on_block))

    assert sum(len(block.samples) for block in blocks) > 7.9 * 48_000
    assert least <= len(blocks) <= most
    if wanted_s:
        shortest = min(len(block.samples) for block in blocks[1:-1]) / 48_000
        assert shortest > wanted_s - 0.001, "it was woken before what was wanted was there"


def test_what_is_wanted_holds_from_the_next_read_on() -> None:
    wishes = iter([1.0, 0.3, 0.8, 0.3, 0.8, 0.5])
    got_s: list[float] = []
    wished_s: list[float] = []

    def on_block(source: RadioSource, block: Block) -> None:
        got_s.append(len(block.samples) / 48_000)
        source.wanted_s = next(wishes, 0.7)
        wished_s.append(source.wanted_s)

    hear(dripping(audio()), on_block)

    for wished, got in zip(wished_s[:-2], got_s[1:-1], strict=True):
        assert wished - 0.001 < got < wished + 0.4


def test_titles_between_do_not_cut_what_a_wake_gives() -> None:
    body = interleave(audio(), 4000, [b"StreamTitle='One';", b"", b"", b"", b""])

    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(body, "audio/mpeg", "icy-metaint: 4000"))

    events = hear(handler, lambda *_: None)

    assert len(samples_of(events)) > 7.9 * 48_000
    assert len(blocks_of(events)) <= len(body) // READ_BYTES + 3  # one a read, and one before the title


def test_a_stream_that_becomes_quieter_is_taken_as_it_comes() -> None:
    data = audio()

    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(data[: 2 * BYTE_RATE]))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(data[2 * BYTE_RATE : 2 * BYTE_RATE + 3000])
        await asyncio.Event().wait()

    async def run() -> None:
        async with serve(handler) as base:
            source = open_source(f"{base}/live")
            source.wanted_s = 1.0
            await listen(source, until_s=2.05)

    asyncio.run(asyncio.wait_for(run(), 10))


@pytest.mark.parametrize("framing", ["until it closes", "content-length", "chunked"])
def test_a_body_is_read_however_it_is_framed(framing: str) -> None:
    data = audio()
    head = {"content-length": f"Content-Length: {len(data)}", "chunked": "Transfer-Encoding: chunked"}

    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        body = data
        if framing == "chunked":
            body = (
                b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in cut(data, [1000])) + b"0\r\n\r\n"
            )
        lines = ["HTTP/1.1 200 OK", "Content-Type: audio/mpeg", *([head[framing]] if framing in head else [])]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        if framing in head:  # it says where it ends: that the connection goes on is no matter
            await writer.drain()
            await asyncio.Event().wait()

    def on_block(source: RadioSource, _: Block) -> None:
        source.wanted_s = 1.0

    events = hear(handler, on_block)

    assert len(samples_of(events)) > 7.9 * 48_000


def test_what_nobody_takes_is_not_read() -> None:
    async def run() -> None:
        total = 10_000_000

        async def handler(_: str, writer: asyncio.StreamWriter) -> None:
            writer.write(bytes(total))

        async with serve(handler) as base:
            wire = await connect(
                "127.0.0.1", int(base.rpartition(":")[2]), tls=False, policy=AddressPolicy(everywhere=True)
            )
            wire.write(b"GET / HTTP/1.0\r\n\r\n")
            came = len(await wire.read())
            while wire._transport.is_reading():
                await asyncio.sleep(0.01)
            assert len(wire._data) <= 2 * READ_BYTES
            while data := await wire.read():
                assert len(data) <= 2 * READ_BYTES
                came += len(data)
            assert came == total
            wire.close()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_a_skip_reaches_the_decoder() -> None:
    asked = False

    def on_block(source: RadioSource, _: Block) -> None:
        nonlocal asked
        if not asked:
            asked = True
            source.skip(3.0)

    blocks = blocks_of(hear(dripping(audio()), on_block))

    assert abs(sum(block.skipped for block in blocks) / 48_000 - 3.0) < 0.05
    assert sum(len(block.samples) + block.skipped for block in blocks) > 7.9 * 48_000


def test_before_a_rate_is_measured_the_servers_word_is_taken_or_the_lowest() -> None:
    for said, expected in ((128_000, 128_000), (None, QUIETEST)):
        meter = Meter(said)
        meter.came(500)
        meter.heard(0.5)

        size, within_s = meter.window(1.0)

        assert size == int(expected / 8 * SHORTEST_S)
        assert within_s == SHORTEST_S + LATE_S


def test_a_measured_rate_follows_what_a_station_becomes() -> None:
    meter = Meter(128_000)
    for _ in range(60):
        meter.came(4000)
        meter.heard(1.0)
    assert meter.window(0.5)[0] == int(4000 * (0.5 + FRAME_S))

    for _ in range(120):
        meter.came(20_000)
        meter.heard(1.0)

    assert meter.bytes_per_s > 19_000


def test_a_window_is_bounded_whatever_is_wanted() -> None:
    meter = Meter(320_000)
    meter.came(200_000)
    meter.heard(2.0)

    assert meter.window(60.0) == (MAX_BYTES, LONGEST_S + FRAME_S + LATE_S)
    assert meter.window(1e-9)[0] >= 1
