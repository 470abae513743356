"""The ZeroMQ socket: sends messages and, to whoever comes late, the last one of each topic."""

import asyncio
import logging
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

import zmq

from streamer.errors import PublishError
from streamer.publish.gate import Gate
from streamer.publish.keys import ServerKeys
from streamer.publish.messages import ON_DEMAND, RETAINED, Kind, Message, encode, topic
from streamer.sections import is_loopback

log = logging.getLogger(__name__)

# Messages that wait for one slow subscriber: ten seconds of a hundred stations.
SEND_HWM = 1000
# Subscriptions that come together are answered together: a client with many topics, or
# many clients after a restart, cost one replay and not one each.
REPLAY_DELAY_S = 0.01
REPLAY_SLICE = SEND_HWM // 2
MAX_PREFIX = 256  # no topic of ours is longer; longer prefixes would only grow libzmq's tree
REBIND_S = 1.0
LINGER_MS = 200  # what is still in the socket at the end gets this long to leave
# As plain numbers: enumerations are slow, and these are used for every message.
_NOBLOCK, _MORE_FOLLOWS = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)
_REPLAYED = tuple(f"{kind}/".encode() for kind in RETAINED)
_SUBSCRIBES = b"\x01"  # how a frame of the socket begins that subscribes; \x00: the last one of it left
_DEMAND = re.compile(rf"{ON_DEMAND}/([\w-]{{1,64}})/".encode())


class Bus:
    """An XPUB socket with a last-value cache. Sending never blocks: a slow subscriber loses messages.

    Replayed messages go to all subscribers of their topic, told apart by a `seq` that was
    there before (docs/messages.md).

    Attributes:
        endpoint: where it is bound.
        demand: ids of the stations of which somebody wants what is made on demand (`ON_DEMAND`).

    Args:
        endpoint: `tcp://HOST:PORT` or `ipc://PATH`; port `*` takes any free one.
        open_to_network: allows addresses that other machines can reach.
        keys: with them everything is encrypted, only those on their list may subscribe, and
            other machines may reach it.

    Raises:
        PublishError: the endpoint is malformed, in use, or not local.
    """

    def __init__(
        self, endpoint: str, *, open_to_network: bool = False, keys: ServerKeys | None = None
    ) -> None:
        scheme, _, address = endpoint.partition("://")
        port = address.rpartition(":")[2]
        if scheme not in ("tcp", "ipc") or not address:
            raise PublishError(
                f"bind = '{endpoint}' is no endpoint", remedy="give tcp://127.0.0.1:PORT or ipc://PATH"
            )
        if scheme == "ipc" and is_served(address):
            # libzmq would take the path away from whoever serves it, without a word to either.
            raise PublishError(
                f"can't bind '{endpoint}': Address already in use",
                remedy="stop whatever uses it, or give another",
            )
        if scheme == "tcp" and port != "*" and not (port.isdecimal() and int(port) < 2**16):
            # libzmq takes any number and listens on what is left of it in 16 bits.
            raise PublishError(
                f"bind = '{endpoint}' names no port from 1 to 65535",
                remedy="give tcp://HOST:PORT, such as tcp://127.0.0.1:5567",
            )
        if keys is None and not open_to_network and not is_local(endpoint):
            raise PublishError(
                f"bind = '{endpoint}' can be reached from other machines, and messages are not protected",
                remedy="give keys ('genrecast keys new'), bind to tcp://127.0.0.1:PORT or ipc://PATH, "
                "or say open_to_network = true",
            )
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.SNDHWM, SEND_HWM)
        self._socket.setsockopt(zmq.LINGER, LINGER_MS)
        self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self._socket.setsockopt(zmq.IPV6, "[" in endpoint)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_PREFIX + 1)
        self._gate = None if keys is None else Gate(keys, self._socket)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise PublishError(
                f"can't bind '{endpoint}': {error.strerror}",
                remedy="stop whatever uses it, or give another endpoint such as tcp://127.0.0.1:5568",
            ) from error
        self.endpoint: str = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._last: dict[bytes, bytes] = {}
        self._wanted: set[bytes] = set()
        self.demand: frozenset[str] = frozenset()
        self._demanded: Callable[[frozenset[str]], None] = lambda _: None
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, demanded: Callable[[frozenset[str]], None] = lambda _: None) -> None:
        """Begin to answer subscriptions, on the running loop.

        Args:
            demanded: is told `demand` whenever it changes.
        """
        self._demanded = demanded
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._read_subscriptions)
        if self._gate is not None:
            self._gate.start(self._cut)

    def send(self, message: Message) -> None:
        """Send a message to whoever wants it, and keep it for whoever comes late."""
        self.publish([(topic(message.kind, message.station), encode(message))])

    def publish(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Send encoded messages, each with its topic."""
        self._last.update(messages)
        if self._socket.closed:
            return  # the daemon has ended; who still speaks is being cancelled
        send = self._socket.send
        for name, payload in messages:
            send(name, _MORE_FOLLOWS)
            send(payload, _NOBLOCK)
        # The descriptor signals edges: a send may have swallowed one.
        if self._loop is not None:
            self._read_subscriptions()

    def last(self, kind: Kind, station: str) -> bytes | None:
        """Give the payload of the last message of a topic."""
        return self._last.get(topic(kind, station))

    def forget(self, station: str) -> None:
        """Keep nothing of a station any more for whoever comes late."""
        for kind in RETAINED | {"change", ON_DEMAND}:
            self._last.pop(topic(kind, station), None)

    def close(self) -> None:
        """Send what is left, at most for `LINGER_MS`, and let go of the endpoint."""
        if self._loop is not None and not self._socket.closed:
            self._loop.remove_reader(self._socket.fileno())
        if self._gate is not None:
            self._gate.stop()
        self._context.destroy(linger=LINGER_MS)

    def _cut(self) -> None:
        """Drop all connections: libzmq does so where it no longer listens."""
        if not self._socket.closed:
            self._socket.unbind(self.endpoint)
            self._rebind()

    def _rebind(self) -> None:
        try:
            self._socket.bind(self.endpoint)
        except zmq.ZMQError as error:  # somebody was quicker; without it there is nothing to do but wait
            log.error("can't bind '%s' again: %s", self.endpoint, error.strerror)
            if self._loop is not None and not self._socket.closed:
                self._loop.call_later(REBIND_S, self._rebind)

    def _read_subscriptions(self) -> None:
        waiting, demand = bool(self._wanted), set(self.demand)
        for frame in self._frames():
            if frame[:1] == _SUBSCRIBES and len(frame) <= MAX_PREFIX + 1:
                self._wanted.add(frame[1:])
            if (station := _DEMAND.fullmatch(frame, 1)) is not None:
                change = demand.add if frame[:1] == _SUBSCRIBES else demand.discard
                change(station[1].decode())
        if self.demand != demand:
            self.demand = frozenset(demand)
            self._demanded(self.demand)
        if self._wanted and not waiting and self._loop is not None:
            self._loop.call_later(REPLAY_DELAY_S, self._replay)

    def _frames(self) -> Iterator[bytes]:
        while not self._socket.closed:
            try:
                yield self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return

    def _replay(self) -> None:
        prefixes, self._wanted = tuple(self._wanted), set()
        wanted = (name for name in self._last if name.startswith(prefixes))
        self._send_last([name for name in wanted if name.startswith(_REPLAYED)])
        self._read_subscriptions()

    def _send_last(self, names: list[bytes]) -> None:
        """Send what is kept in slices that fit beneath the high-water mark, the loop's turn between them."""
        if self._socket.closed or self._loop is None:
            return
        now, later = names[:REPLAY_SLICE], names[REPLAY_SLICE:]
        for name in now:
            if name in self._last:  # and not forgotten meanwhile
                self._socket.send_multipart((name, self._last[name]), zmq.NOBLOCK)
        if later:
            self._loop.call_later(REPLAY_DELAY_S, self._send_last, later)


def is_served(path: str) -> bool:
    """Say whether somebody listens on a Unix socket; one that was left behind is nobody's."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path.replace("@", "\0", 1) if path.startswith("@") else path)
        except OSError:
            return False
    return True


def is_local(endpoint: str) -> bool:
    """Say whether only this machine can reach an endpoint."""
    try:
        parts = urlsplit(endpoint)
        if parts.scheme == "ipc":
            return True
        return is_loopback(parts.hostname or "")
    except ValueError:
        return False
