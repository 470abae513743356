"""What a subscriber hears of a daemon with many stations: lags, and every window that did not come."""

import threading
import time
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

import msgspec
import zmq

POLL_MS = 100
LATE_HOPS = 2.5  # without a word: what is due since then is lost


class Told(msgspec.Struct):
    """The fields of a message that are counted; those of other kinds than the message's are absent."""

    kind: str
    station: str
    seq: int
    state: str = ""
    position: float = 0.0
    gap: bool = False
    lag_ms: float = 0.0
    hop: float = 0.0
    event: str = ""
    dropped: int = 0
    hop_stretch: float = 1.0
    at: float = 0.0  # monotonic, when it was received


@dataclass(slots=True)
class Book:
    """One station.

    Attributes:
        connected: a source has opened.
        genre: its `genre` messages, replays left out.
    """

    connected: bool = False
    genre: list[Told] = field(default_factory=list)

    @property
    def heard(self) -> bool:
        """A window has been told."""
        return self.connected and bool(self.genre) and self.genre[-1].state != "no-signal"


@dataclass(slots=True)
class Lost:
    """What was lost, by the sign it left; the same loss may leave several.

    Attributes:
        seq: holes in `seq`: on the way to the subscriber.
        position: windows that steps of `position`, a silence or a new connection leave out.
        gap: runs of windows with `gap`: audio is missing.
        dropped: as the heartbeat counts them.
        uneven: steps that are neither a hop nor leave a window out.
    """

    seq: int = 0
    position: int = 0
    gap: int = 0
    dropped: int = 0
    uneven: int = 0

    @property
    def windows(self) -> int:
        """The windows that were lost, as far as the signs tell."""
        return max(self.seq + self.position, self.gap, self.dropped)


class Books:
    """Reads a subscriber's socket in a thread of its own, so that it never waits.

    Args:
        socket: connected and subscribed; only this uses it until the end.
        stations: their ids.
    """

    def __init__(self, socket: zmq.Socket[bytes], stations: list[str]) -> None:
        self.stations = {station: Book() for station in stations}
        self.heartbeats: list[Told] = []
        self._socket = socket
        self._missing = set(stations)
        self._all_heard, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Read no more."""
        self._ended.set()
        self._thread.join()

    def all_heard(self, timeout_s: float) -> bool:
        """Wait until every station has connected and told a window."""
        return self._all_heard.wait(timeout_s)

    def take(self, told: Told) -> None:
        """Enter a message."""
        book = self.stations.get(told.station)
        if told.kind == "heartbeat":
            self.heartbeats.append(told)
        elif book is None:
            return
        elif told.kind == "status":
            book.connected = book.connected or told.event == "connected"
        elif told.kind == "genre" and (not book.genre or told.seq > book.genre[-1].seq):
            book.genre.append(told)
        if book is not None and told.station in self._missing and book.heard:
            self._missing.discard(told.station)
            if not self._missing:
                self._all_heard.set()

    def lags_ms(self, since: float, until: float) -> list[float]:
        """Give the lags of all windows that were received within a time (monotonic), sorted."""
        return sorted(
            told.lag_ms
            for book in self.stations.values()
            for told in book.genre
            if since <= told.at < until and told.state != "no-signal"
        )

    def lost(self, since: float, until: float, hop_s: float) -> Lost:
        """Count what was lost within a time (monotonic)."""
        lost = Lost()
        for book in self.stations.values():
            _count(lost, [told for told in book.genre if told.at < until], since, until, hop_s)
        beats = [beat.dropped for beat in self.heartbeats if beat.at < until]
        before = [beat.dropped for beat in self.heartbeats if beat.at < since]
        lost.dropped = (beats[-1] if beats else 0) - (before[-1] if before else 0)
        return lost

    def hop_stretch(self, since: float) -> float:
        """Give the largest that a heartbeat has told since then."""
        return max((beat.hop_stretch for beat in self.heartbeats if beat.at >= since), default=1.0)

    def _read(self) -> None:
        decoder: Any = msgspec.json.Decoder(Told)
        while not self._ended.is_set():
            if not self._socket.poll(POLL_MS):
                continue
            told = decoder.decode(self._socket.recv_multipart()[1])
            told.at = time.monotonic()
            self.take(told)


def _count(lost: Lost, genre: list[Told], since: float, until: float, hop_s: float) -> None:
    """Add what one station lost; `genre` begins before `since`, so that the first step counts too."""
    for before, told in pairwise(genre):
        if told.at < since:
            continue
        holes = told.seq - before.seq - 1
        lost.seq += holes
        lost.gap += told.gap and not before.gap
        step = told.position - before.position
        if told.state == "no-signal":
            continue
        if before.state == "no-signal" or step <= 0:  # a new connection: its positions begin anew
            last = next((t for t in reversed(genre) if t.at < told.at and t.state != "no-signal"), before)
            lost.position += max(1, round((told.at - last.at) / hop_s) - 1)
            continue
        hops = step / (told.hop or hop_s)
        lost.position += max(0, round(hops) - 1 - holes)
        lost.uneven += abs(hops - round(hops)) * hop_s > 0.002
    windows = [told.at for told in genre if told.state != "no-signal"]
    quiet_s = until - (windows[-1] if windows else since)
    if quiet_s > LATE_HOPS * hop_s:
        lost.position += int(quiet_s / hop_s) - 1
