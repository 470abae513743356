"""The server of `bench.radio`: mounts, their listeners, and what was sent to whom and when."""

import json
import select
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from bench.content import BITRATE, KINDS, Content

METAINT = 16_000  # bytes of audio between two chances of a title, as Icecast has it
WAKE_S = 0.002  # the least to sleep: all who are due by then are sent to at one go
QUEUE_S = 30.0  # who is further behind is let go; Icecast's queue of 512 KiB is as much
MAX_REQUEST = 16 * 1024
GOLDEN = 0.6180339887498949  # its multiples spread evenly, however many there are


@dataclass(slots=True)
class Client:
    """A listener: what it has had and when.

    Attributes:
        first: unit of the endless stream at which it joined.
        at: unit up to which it was sent to.
        left: bytes of audio to its next title; 0 where it wants none.
        rest: what the kernel would not take.
        times, units: moments (monotonic), and the unit up to which was sent by then.
    """

    socket: socket.socket
    opened: float
    first: int
    at: int
    left: int
    rest: bytes = b""
    title: str = ""
    request: bytes = b""
    times: list[float] = field(default_factory=list)
    units: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Station:
    """One mount: `content` from `start_s` on, pieces at `phase_s` of every `PIECE_S`."""

    content: Content
    start_s: float
    phase_s: float
    clients: list[Client] = field(default_factory=list)
    gone: list[Client] = field(default_factory=list)


class RadioServer:
    """All stations and their listeners.

    Args:
        contents: station k plays the k-th, beginning anew after the last.
        stations: how many there are.
        burst_s, piece_s: seconds of audio at connect, and in a piece.
        port: 0 for any that is free.
    """

    def __init__(
        self, contents: list[Content], stations: int, *, burst_s: float, piece_s: float, port: int = 0
    ) -> None:
        self._burst_s, self._piece_s = burst_s, piece_s
        self.stations = lay_out(contents, stations, piece_s)
        self.stalled = 0  # times that a listener's buffers were full
        self._waiting: dict[int, Client] = {}  # whose request isn't read yet
        self._listening: dict[int, Station] = {}
        self._server = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._server.setblocking(False)
        self.port: int = self._server.getsockname()[1]
        self._poller = select.epoll()
        self._poller.register(self._server, select.EPOLLIN)
        self._zero = time.monotonic()

    def run(self, asked: TextIO) -> None:
        """Play; hand each line of `asked` to `answer`, until it ends."""
        self._poller.register(asked, select.EPOLLIN)
        order = sorted(self.stations, key=lambda station: station.phase_s)
        round_at = self._zero  # when the round of pieces that is under way began
        while True:
            for station in order:
                while (wait_s := round_at + station.phase_s - time.monotonic()) > 0:
                    if not self._hear(asked, max(wait_s, WAKE_S)):
                        return
                for client in tuple(station.clients):
                    self._send(station, client)
            round_at += self._piece_s
            if not self._hear(asked, 0):  # who falls behind still hears what is asked
                return

    def _hear(self, asked: TextIO, wait_s: float) -> bool:
        """Take what comes within a time; tell whether to go on."""
        for file, _ in self._poller.poll(wait_s):
            if file == asked.fileno():
                line = asked.readline()
                if not line:
                    return False
                self._answer(line.strip())
            else:
                self._readable(file)
        return True

    def _answer(self, path: str) -> None:
        """Write what was sent to whom and when; say so, with our own CPU."""
        sent = [
            [_log(client, station.content) for client in (*station.gone, *station.clients)]
            for station in self.stations
        ]
        Path(path).write_text(json.dumps(sent))
        print(json.dumps({"cpu_s": time.process_time(), "stalled": self.stalled}), flush=True)

    def _readable(self, file: int) -> None:
        """Take a connection, a request, or a listener's end."""
        if file == self._server.fileno():
            connection, _ = self._server.accept()
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._waiting[connection.fileno()] = Client(connection, 0.0, 0, 0, 0)
            self._poller.register(connection, select.EPOLLIN)
        elif file in self._waiting:
            client = self._waiting[file]
            client.request += _receive(client.socket)
            if b"\r\n\r\n" in client.request:
                del self._waiting[file]
                self._open(client)
            elif not client.request or len(client.request) > MAX_REQUEST:
                del self._waiting[file]
                self._close(client)
        else:
            station = self._listening[file]
            client = next(client for client in station.clients if client.socket.fileno() == file)
            if not _receive(client.socket):
                self._drop(station, client)

    def _open(self, client: Client) -> None:
        """Answer a request and send the burst."""
        number = _station_number(client.request, len(self.stations))
        if number is None:
            client.socket.send(b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            self._close(client)
            return
        station = self.stations[number]
        content = station.content
        kind = KINDS[content.kind]
        wants = b"icy-metadata:1" in client.request.lower().replace(b" ", b"") and kind.muxer != "ogg"
        lines = ["HTTP/1.0 200 OK", f"Content-Type: {kind.content_type}", f"icy-name: station {number}"]
        lines += [f"icy-br: {BITRATE // 1000}", "Cache-Control: no-cache", "Connection: close"]
        lines += [f"icy-metaint: {METAINT}"] if wants else []
        client.opened = time.monotonic()
        air_s = client.opened - self._zero + station.start_s
        client.first = client.at = content.aired(max(air_s - self._burst_s, 0.0))
        client.left = METAINT if wants else 0
        client.rest = "\r\n".join([*lines, "", ""]).encode("ascii")
        if client.first % (len(content.ends) - 1) >= content.head:
            client.rest += b"".join(content.parts(0, content.head))
        station.clients.append(client)
        self._listening[client.socket.fileno()] = station
        self._send(station, client)

    def _send(self, station: Station, client: Client) -> None:
        """Send what has been on air and wasn't sent yet."""
        content, now = station.content, time.monotonic()
        air_s = now - self._zero + station.start_s
        until = content.aired(air_s)
        parts: list[memoryview | bytes] = [*content.parts(client.at, until)]
        client.at = until
        size = sum(map(len, parts))
        if client.left > size:
            client.left -= size
        elif client.left:
            parts = with_titles(client, parts, content.title(air_s))
            size = sum(map(len, parts))
        if client.rest:
            parts.insert(0, client.rest)
            size += len(client.rest)
        if not size:
            return
        try:
            sent = client.socket.sendmsg(parts)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._drop(station, client)
            return
        if sent == size:
            client.rest = b""
            client.times.append(now)
            client.units.append(until)
            return
        client.rest = b"".join(parts)[sent:]
        self.stalled += 1
        if len(client.rest) > QUEUE_S * BITRATE / 8:
            self._drop(station, client)

    def _drop(self, station: Station, client: Client) -> None:
        station.clients.remove(client)
        station.gone.append(client)
        del self._listening[client.socket.fileno()]
        self._close(client)

    def _close(self, client: Client) -> None:
        self._poller.unregister(client.socket)
        client.socket.close()


def lay_out(contents: list[Content], stations: int, piece_s: float) -> list[Station]:
    """Give stations that begin at other places and send at other moments of each `piece_s`."""
    played = [contents[number % len(contents)] for number in range(stations)]
    return [
        Station(content, GOLDEN * number % 1.0 * content.seconds, GOLDEN * (number + 0.5) % 1.0 * piece_s)
        for number, content in enumerate(played)
    ]


def with_titles(client: Client, parts: list[memoryview | bytes], title: str) -> list[memoryview | bytes]:
    """Put ICY blocks between the audio: after every `METAINT` bytes a count of sixteens, and so much text."""
    out: list[memoryview | bytes] = []
    for part in parts:
        at = 0
        while len(part) - at >= client.left:
            text = b"" if title == client.title else f"StreamTitle='{title}';".encode()
            count = -(-len(text) // 16)
            out += [part[at : at + client.left], bytes([count]) + text.ljust(16 * count, b"\0")]
            at, client.left, client.title = at + client.left, METAINT, title
        if at < len(part):
            out.append(part[at:])
            client.left -= len(part) - at
    return out


def _log(client: Client, content: Content) -> tuple[float, list[float], list[float]]:
    """Give when a connection opened, moments, and the seconds of audio that were sent by each."""
    begin_s = content.second(client.first)
    return client.opened, client.times, [content.second(unit) - begin_s for unit in client.units]


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4096)
    except OSError:
        return b""


def _station_number(request: bytes, stations: int) -> int | None:
    method, _, path = request.partition(b"\r")[0].partition(b" ")
    name = path.partition(b" ")[0].removeprefix(b"/s")
    return int(name) if method == b"GET" and name.isdigit() and int(name) < stations else None
