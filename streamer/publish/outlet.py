"""A way out of the bus: an XPUB socket that sends, and tells who comes late what was said last."""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator, Sequence

import zmq

from streamer.publish.messages import ON_DEMAND, RETAINED

# Messages that wait for one slow subscriber: ten seconds of a hundred stations.
SEND_HWM = 1000
# Subscriptions that come together are answered together: a client with many topics, or
# many clients after a restart, cost one replay and not one each.
REPLAY_DELAY_S = 0.01
REPLAY_SLICE = SEND_HWM // 2
MAX_PREFIX = 256  # no topic of ours is longer; longer prefixes would only grow libzmq's tree
LINGER_MS = 200  # what is still in the socket at the end gets this long to leave
# As plain numbers: enumerations are slow, and these are used for every message.
_NOBLOCK, _MORE_FOLLOWS = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
_REPLAYED = tuple(f"{kind}/".encode() for kind in RETAINED)
_SUBSCRIBES = b"\x01"  # how a frame of the socket begins that subscribes; \x00: the last one of it left
_DEMAND = re.compile(rf"{ON_DEMAND}/([\w-]{{1,64}})/".encode())


class Outlet:
    """An XPUB socket with a last-value cache. Sending never blocks: a slow subscriber loses messages.

    It has a context of its own: what holds up libzmq's thread for one, a name server say, is no
    other's trouble.

    Attributes:
        socket: to be bound or connected.
        demand: ids of the stations of which somebody wants what is made on demand (`ON_DEMAND`).
        whole: beginnings of topics (`genre/`, ...) of which somebody wants all stations, as a gateway does.

    Args:
        last: the last payload of each topic, as whoever sends keeps it.
        waiting: how many messages may wait for one subscriber.
    """

    def __init__(self, last: dict[bytes, bytes], *, waiting: int = SEND_HWM) -> None:
        self.demand: frozenset[str] = frozenset()
        self.whole: set[bytes] = set()
        self._last = last
        self._context = zmq.Context()
        self.socket: zmq.Socket[bytes] = self._context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.SNDHWM, waiting)
        self.socket.setsockopt(zmq.LINGER, LINGER_MS)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_PREFIX + 1)
        self._wanted: set[bytes] = set()
        self._demanded: Callable[[], None] = lambda: None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, demanded: Callable[[], None]) -> None:
        """Begin to answer subscriptions, on the running loop.

        Args:
            demanded: is called whenever `demand` has changed.
        """
        self._demanded = demanded
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self.socket.fileno(), self._read_subscriptions)
        self._read_subscriptions()

    def send(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Send encoded messages, each with its topic."""
        if self.socket.closed:
            return  # the daemon has ended; who still speaks is being cancelled
        send = self.socket.send
        for name, payload in messages:
            try:
                send(name, _MORE_FOLLOWS)
                send(payload, _NOBLOCK)
            except zmq.Again:  # only a link says so, and only before the first frame
                continue
        # The descriptor signals edges: a send may have swallowed one.
        if self._loop is not None:
            self._read_subscriptions()

    def close(self, *, linger_ms: int = LINGER_MS) -> None:
        """Send what is left, at most for so long, and let go of the endpoint."""
        if self._loop is not None and not self.socket.closed:
            self._loop.remove_reader(self.socket.fileno())
        self._context.destroy(linger=linger_ms)

    def _read_subscriptions(self) -> None:
        waiting, demand = bool(self._wanted), set(self.demand)
        for frame in self._frames():
            subscribes, prefix = frame[:1] == _SUBSCRIBES, frame[1:]
            if prefix in _REPLAYED:
                (self.whole.add if subscribes else self.whole.discard)(prefix)
            if subscribes and len(prefix) <= MAX_PREFIX:
                self._wanted.add(prefix)
            if (station := _DEMAND.fullmatch(frame, 1)) is not None:
                change = demand.add if subscribes else demand.discard
                change(station[1].decode())
        if self.demand != demand:
            self.demand = frozenset(demand)
            self._demanded()
        if self._wanted and not waiting and self._loop is not None:
            self._loop.call_later(REPLAY_DELAY_S, self._replay)

    def _frames(self) -> Iterator[bytes]:
        while not self.socket.closed:
            try:
                yield self.socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return

    def _replay(self) -> None:
        prefixes, self._wanted = tuple(self._wanted), set()
        wanted = (name for name in self._last if name.startswith(prefixes))
        self._send_last([name for name in wanted if name.startswith(_REPLAYED)])
        self._read_subscriptions()

    def _send_last(self, names: list[bytes]) -> None:
        """Send what is kept in slices that fit beneath the high-water mark, the loop's turn between them."""
        if self.socket.closed or self._loop is None:
            return
        sent = 0
        with contextlib.suppress(zmq.Again):  # a link's queue is full: the rest goes later
            for name in names[:REPLAY_SLICE]:
                if name in self._last:  # and not forgotten meanwhile
                    self.socket.send_multipart((name, self._last[name]), zmq.NOBLOCK)
                sent += 1
        if later := names[sent:]:
            self._loop.call_later(REPLAY_DELAY_S, self._send_last, later)
