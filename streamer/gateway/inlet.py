"""The way into the gateway: daemons come in at one socket, and are heard at others."""

import asyncio
from collections.abc import Callable
from typing import Any

import zmq

from streamer.errors import PublishError
from streamer.publish.endpoint import listen
from streamer.publish.gate import Gate
from streamer.publish.keys import server_keys
from streamer.publish.link import NO_LIFE_MS, SIGN_OF_LIFE_MS
from streamer.publish.messages import KINDS, ON_DEMAND
from streamer.publish.subscribe import MAX_MESSAGE, WAITING
from streamer.sections import GatewayConfig

SLICE = 2000  # frames from one turn of the loop to the next: a message has two
_NOBLOCK = int(zmq.NOBLOCK)  # as a plain number: enumerations are slow


class Inlet:
    """SUB sockets: one that is bound where daemons come in, one that is connected to where others publish.

    Attributes:
        endpoint: where daemons come in.

    Args:
        section: what the configuration says.
        open_to_network: allows an address that other machines can reach, without keys.

    Raises:
        PublishError: an endpoint is malformed, in use, or not local.
        KeysError: a file with keys can't be used.
    """

    def __init__(self, section: GatewayConfig, *, open_to_network: bool) -> None:
        keys = server_keys(section)
        self._context = zmq.Context()
        self._sockets = [self._socket()]
        self._before: dict[zmq.Socket[bytes], bytes] = {}  # the last frame of a slice
        self._gate = None if keys is None else Gate(keys, self._sockets[0], who="daemon")
        self._demand: frozenset[str] = frozenset()
        try:
            protected = keys is not None or open_to_network
            self.endpoint = listen(self._sockets[0], section.accept, protected=protected, name="accept")
            if section.from_:
                self._sockets.append(self._socket())
                for endpoint in section.from_:
                    self._connect(endpoint)
        except BaseException:
            self._context.destroy(linger=0)
            raise

    def start(self, hear: Callable[[list[tuple[bytes, bytes]]], None]) -> None:
        """Begin to hear, on the running loop.

        Args:
            hear: is given messages, each with its topic, in their order.
        """
        self._hear, self._loop = hear, asyncio.get_running_loop()
        for socket in self._sockets:
            self._loop.add_reader(socket.fileno(), self._read, socket)
            self._loop.call_soon(self._read, socket)
        if self._gate is not None:
            self._gate.start(self.endpoint)

    def demand(self, stations: frozenset[str]) -> None:
        """Have daemons make what is made on demand for these stations, and for no others."""
        for socket in self._sockets:
            for station in stations - self._demand:
                socket.setsockopt(zmq.SUBSCRIBE, f"{ON_DEMAND}/{station}/".encode())
            for station in self._demand - stations:
                socket.setsockopt(zmq.UNSUBSCRIBE, f"{ON_DEMAND}/{station}/".encode())
            # The descriptor signals edges: this may have swallowed one.
            self._loop.call_soon(self._read, socket)
        self._demand = stations

    def close(self) -> None:
        """Let go of all connections."""
        if self._gate is not None:
            self._gate.stop()
        for socket in self._sockets:
            self._loop.remove_reader(socket.fileno())
        self._context.destroy(linger=0)

    def _socket(self) -> "zmq.Socket[bytes]":
        socket: zmq.Socket[Any] = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, WAITING)
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        socket.setsockopt(zmq.HEARTBEAT_IVL, SIGN_OF_LIFE_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, NO_LIFE_MS)
        for kind in KINDS.keys() - {ON_DEMAND}:
            socket.setsockopt(zmq.SUBSCRIBE, f"{kind}/".encode())
        return socket

    def _connect(self, endpoint: str) -> None:
        try:
            self._sockets[-1].setsockopt(zmq.IPV6, "[" in endpoint)
            self._sockets[-1].connect(endpoint)
        except zmq.ZMQError as error:
            raise PublishError(
                f"can't connect to '{endpoint}': {error.strerror}",
                remedy="give the endpoint that the daemon names when it is ready, tcp://HOST:PORT",
            ) from error

    def _read(self, socket: "zmq.Socket[bytes]") -> None:
        messages: list[tuple[bytes, bytes]] = []
        receive, before = socket.recv, self._before.pop(socket, b"")
        try:
            for _ in range(SLICE):
                # To ask whether more frames follow takes five times as long as to receive them. A payload
                # is known by its brace: a topic has none, since it begins with what we subscribe to.
                frame = receive(_NOBLOCK)
                if frame[:1] == b"{":
                    messages.append((before, frame))
                before = frame
        except zmq.Again:
            pass
        except zmq.ZMQError:
            return  # closed since the loop was told of it
        else:
            self._before[socket] = before
            self._loop.call_soon(self._read, socket)
        if messages:
            self._hear(messages)
