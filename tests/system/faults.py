"""A radio server of loopback whose stations break in every way that is known, and how each is to be told."""

import asyncio
import contextlib
import gzip
import itertools
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from tests.source.tones import encode

PIECE_S = 0.25
SOUND_S = 2.0  # of audio before a fault in mid-stream
STALLED_S = 20.0  # after which silence on the line is `no-signal`, docs/operations.md

Writer: TypeAlias = asyncio.StreamWriter
Act: TypeAlias = Callable[[Writer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        reason: code in the `status` that tells it; '' where the station is to go on.
        within_s: of it, when it must have been told.
        act: what the server does with a connection; None where there is no server at all.
        url: the station's, with `{port}`, `{closed}` (a port where nobody listens) and `{path}`.
    """

    reason: str
    within_s: float
    act: Act | None = None
    url: str = "http://127.0.0.1:{port}/{path}"


def _tone(rate: int = 44_100) -> bytes:
    return encode("mp3", rate=rate, seconds=10.0, hz=440.0, options=(("b", "128000"),))


BYTES_PER_S = 16_000


async def play(writer: Writer, seconds: float, rate: int = 44_100) -> None:
    """Send audio in real time, the first second at once."""
    tone, loop = _tone(rate), asyncio.get_running_loop()
    began, sent = loop.time() - 1.0, 0
    while sent < seconds * BYTES_PER_S:
        due = int((loop.time() - began) * BYTES_PER_S)
        while sent < min(due, seconds * BYTES_PER_S):
            at = sent % len(tone)
            piece = tone[at : at + 4000]
            writer.write(piece)
            sent += len(piece)
        await writer.drain()
        await asyncio.sleep(PIECE_S)


def _head(*lines: str) -> bytes:
    return "\r\n".join(("HTTP/1.0 200 OK", "Content-Type: audio/mpeg", *lines, "", "")).encode()


async def healthy(writer: Writer) -> None:
    """Send audio for as long as somebody listens."""
    writer.write(_head())
    await play(writer, 1e9)


def _answers(data: bytes) -> Act:
    async def act(writer: Writer) -> None:
        writer.write(data)

    return act


def _redirects(to: str) -> Act:
    return _answers(f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode())


async def _reset(writer: Writer) -> None:
    writer.write(_head())
    await play(writer, SOUND_S)
    # No linger: what closes the connection is a RST.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _half_open(writer: Writer) -> None:
    writer.write(_head())
    await play(writer, SOUND_S)
    await asyncio.sleep(3600)


async def _drip(writer: Writer) -> None:
    writer.write(_head())
    for byte in itertools.cycle(_tone()):
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(1.0)


async def _endless_headers(writer: Writer) -> None:
    writer.write(b"HTTP/1.0 200 OK\r\n")
    for number in itertools.count():
        writer.write(b"X-%d: %s\r\n" % (number, b"y" * 200))
        await writer.drain()


async def _overrun(writer: Writer) -> None:
    """Say titles of 4,080 bytes, which are audio."""
    writer.write(_head("icy-metaint: 4000"))
    tone = _tone()
    for at in itertools.cycle(range(0, len(tone) - 4000, 4000)):
        writer.write(tone[at : at + 4000] + b"\xff" + tone[at : at + 2000])
        await writer.drain()
        await asyncio.sleep(PIECE_S)


async def _change_of_rate(writer: Writer) -> None:
    writer.write(_head())
    await play(writer, SOUND_S)
    await play(writer, 1e9, rate=48_000)


def _hls(segment: str) -> bytes:
    lines = ("#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXT-X-MEDIA-SEQUENCE:1", "#EXTINF:2,", segment, "")
    head = "HTTP/1.0 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n\r\n"
    return (head + "\n".join(lines)).encode()


FAULTS: dict[str, Fault] = {
    "dns": Fault("source-not-found", 15.0, url="http://nowhere.invalid/{path}"),
    "refused": Fault("source-connection", 5.0, url="http://127.0.0.1:{closed}/{path}"),
    "tls": Fault("source-connection", 15.0, healthy, url="https://127.0.0.1:{port}/{path}"),
    "reset": Fault("source-connection", SOUND_S + 5.0, _reset),
    "half-open": Fault("source-stalled", SOUND_S + STALLED_S, _half_open),
    "one byte a second": Fault("source-stalled", STALLED_S, _drip),
    "endless headers": Fault("source-http", 5.0, _endless_headers),
    "redirect loop": Fault("source-http", 5.0, _redirects("?again")),
    "redirect to a link-local address": Fault(
        "source-forbidden", 5.0, _redirects("http://169.254.169.254/latest")
    ),
    "redirect to a file": Fault("source-uri", 5.0, _redirects("file:///etc/passwd")),
    "HLS segment in a file": Fault("source-http", 15.0, _answers(_hls("file:///etc/passwd"))),
    "gzip": Fault(
        "source-http", 5.0, _answers(_head("Content-Encoding: gzip") + gzip.compress(_tone()[:20_000]))
    ),
    "ICY overrun": Fault("", 10.0, _overrun),
    "change of rate": Fault("", 10.0, _change_of_rate),
}


class FaultyRadio:
    """Serves paths, each as it is told to; another time otherwise.

    Attributes:
        acts: what to do for a path; `healthy` where nothing is said.
    """

    def __init__(self) -> None:
        self.acts: dict[str, Act] = {}
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._clients: dict[asyncio.Task[None], str] = {}

    def url(self, fault: Fault, path: str, closed: int) -> str:
        """Give the address of a station."""
        return fault.url.format(port=self.port, path=path, closed=closed)

    def change(self, path: str, act: Act) -> None:
        """Do something else for a path from now on; who listens there is cut off."""

        def now() -> None:
            self.acts[path] = act
            for task, at in self._clients.items():
                if at == path:
                    task.cancel()

        self._loop.call_soon_threadsafe(now)

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1].decode("latin-1").strip("/").partition("?")[0]
                self._clients[task] = path
                await self.acts.get(path, healthy)(writer)
                await writer.drain()
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                self._clients.pop(task, None)
                writer.close()

    def run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        for task in (tasks := asyncio.all_tasks(self._loop)):
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)


@contextlib.contextmanager
def faulty_radio() -> Iterator[FaultyRadio]:
    """Run one beside the test."""
    _tone(), _tone(48_000)  # made before anybody waits for them
    server, ready = FaultyRadio(), threading.Event()
    thread = threading.Thread(target=server.run, args=(ready,))
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
