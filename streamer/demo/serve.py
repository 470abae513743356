"""A radio station on loopback: the programme as an MP3 stream over HTTP, in real time, with ICY titles.

It behaves as Icecast does towards a player: a burst at connect, then the pace of the
audio; titles between the audio bytes for those who ask; the connection closes when the
programme is over, and the mount is gone.
"""

import asyncio
import bisect
from contextlib import suppress
from types import TracebackType
from typing import Self

from streamer.demo.encode import BITRATE, Packet, encode_mp3
from streamer.demo.programme import PROGRAMME, Piece, render, titles

MOUNT = "/demo.mp3"
BURST_S = 1.0  # sent at once to who connects; Icecast's 64 KiB would be 4 s, and the demo starts later by it
METAINT = 4000  # bytes between two chances of a title: a quarter of a second
TICK_S = 0.05  # how often frames are sent: a frame lasts 26 ms
REQUEST_S = 5.0  # a client that hasn't asked by then is none
MAX_REQUEST = 16 * 1024


class DemoRadio:
    """The demo station, on the air within the `async with`.

    The programme begins when the first client connects; who comes later joins it
    where it is. `done` is set when it is over and has been sent.

    Args:
        programme: what to play.
        seed: of the players.
    """

    def __init__(self, programme: tuple[Piece, ...] = PROGRAMME, seed: int = 2) -> None:
        self._programme, self._seed = programme, seed
        self._titles = titles(programme)
        self._seconds = sum(piece.seconds for piece in programme)
        self._packets: list[Packet] = []
        self._began: float | None = None  # time of the loop at which second 0 was sent
        self._first = asyncio.Event()
        self._clients: set[asyncio.Task[None]] = set()
        self.url = ""
        self.done = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Make the programme, then listen on a free port of loopback."""
        self._packets = await asyncio.to_thread(lambda: encode_mp3(render(self._programme, self._seed)))
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=MAX_REQUEST)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}{MOUNT}"
        self._air = asyncio.create_task(self._on_air())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the station, whoever still listens."""
        self._server.close()
        tasks = {self._air, *self._clients}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _on_air(self) -> None:
        """Wait for the programme's end, then for those to whom its last frames are on the way."""
        await self._first.wait()
        await asyncio.sleep(max(0.0, self._seconds - BURST_S))
        if self._clients:
            await asyncio.wait(self._clients, timeout=2 * BURST_S)
        self.done.set()

    def _position_s(self) -> float:
        """Give the second of the programme up to which may be sent now."""
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
            self._first.set()
        return now - self._began + BURST_S

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client; whatever becomes of it is of no concern to the others."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            async with asyncio.timeout(REQUEST_S):
                request = await reader.readuntil(b"\r\n\r\n")
            line, *fields = request.decode("latin-1").lower().split("\r\n")
            if line.split()[:2] != ["get", MOUNT] or self.done.is_set():
                writer.write(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                await writer.drain()
                return
            wants_titles = any(field.replace(" ", "") == "icy-metadata:1" for field in fields)
            await self._stream(writer, wants_titles)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # it went away, or was none of ours
        except asyncio.CancelledError:
            # The station closes: nobody waits for who doesn't read. It ends here, since asyncio's
            # streams log a cancelled handler as a fault.
            writer.transport.abort()
        finally:
            self._clients.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _stream(self, writer: asyncio.StreamWriter, wants_titles: bool) -> None:
        """Send the programme from where it is now to its end."""
        headers = ["HTTP/1.0 200 OK", "Content-Type: audio/mpeg", "icy-name: genrecast demo"]
        headers += [f"icy-br: {BITRATE // 1000}", "Cache-Control: no-cache", "Connection: close"]
        headers += [f"icy-metaint: {METAINT}"] if wants_titles else []
        writer.write(("\r\n".join(headers) + "\r\n\r\n").encode("ascii"))
        mixer = TitleMixer(METAINT) if wants_titles else None
        at = bisect.bisect_left(self._packets, self._position_s() - BURST_S, key=lambda p: p.start_s)
        while at < len(self._packets):
            until = bisect.bisect_left(self._packets, self._position_s(), lo=at, key=lambda p: p.start_s)
            data = b"".join(
                mixer.mix(packet.data, self._title(packet.start_s)) if mixer else packet.data
                for packet in self._packets[at:until]
            )
            if writer.is_closing():
                return  # the client has gone; asyncio would log each write to it
            writer.write(data)
            await writer.drain()
            at = until
            await asyncio.sleep(TICK_S)

    def _title(self, second: float) -> str:
        """Give the title of the piece that plays at a second of the programme."""
        number = bisect.bisect_right(self._titles, second, key=lambda entry: entry[0]) - 1
        return self._titles[max(0, number)][1]


class TitleMixer:
    """Puts ICY metadata between the audio bytes of one client.

    After every `metaint` bytes stands a byte that counts sixteens, then so much text
    padded with zeros; a title that hasn't changed is a single zero.

    Args:
        metaint: bytes of audio between two blocks.
    """

    def __init__(self, metaint: int) -> None:
        self._metaint = metaint
        self._left = metaint
        self._sent = ""

    def mix(self, audio: bytes, title: str) -> bytes:
        """Give the audio with the blocks that fall into it; `title` plays at its beginning."""
        out = bytearray()
        while len(audio) >= self._left:
            out += audio[: self._left] + self._block(title)
            audio, self._left = audio[self._left :], self._metaint
        self._left -= len(audio)
        return bytes(out + audio)

    def _block(self, title: str) -> bytes:
        if title == self._sent:
            return b"\0"
        self._sent = title
        text = f"StreamTitle='{title}';".encode()
        count = -(-len(text) // 16)
        return bytes([count]) + text.ljust(16 * count, b"\0")
