"""What becomes of a socket's connections, as libzmq tells it beside the socket."""

from collections.abc import Iterator
from typing import Any

import zmq
from zmq.utils.monitor import parse_monitor_message

# After these libzmq never tries again by itself; but who is refused may be allowed later.
REFUSED = zmq.Event.HANDSHAKE_FAILED_AUTH
GIVEN_UP = REFUSED | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
_MONITOR = "inproc://handshakes"


class Handshakes:
    """Events of one socket, the only one of its context that is watched.

    Args:
        socket: neither bound nor connected yet.
        events: what is told.
    """

    def __init__(self, socket: "zmq.Socket[bytes]", events: zmq.Event) -> None:
        self._socket = socket
        socket.monitor(_MONITOR, events)
        self._monitor: zmq.Socket[bytes] = socket.context.socket(zmq.PAIR)
        self._monitor.setsockopt(zmq.RCVHWM, 0)  # a full one would hold up libzmq's own thread
        self._monitor.connect(_MONITOR)

    def since(self) -> Iterator[zmq.Event]:
        """Give what has happened since this was last asked."""
        while self._monitor.poll(0):
            told: Any = parse_monitor_message(self._monitor.recv_multipart())
            yield told["event"]

    def stop(self) -> None:
        """Watch no longer."""
        self._socket.disable_monitor()
