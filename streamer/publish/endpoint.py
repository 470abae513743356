"""Where a ZeroMQ socket listens: what is refused, and what goes wrong, in words."""

import socket
from typing import Any

import zmq

from streamer.errors import PublishError
from streamer.sections import is_local


def listen(socket: "zmq.Socket[Any]", endpoint: str, *, protected: bool, name: str = "bind") -> str:
    """Bind a socket; give the endpoint that it has then.

    Args:
        socket: with all its options.
        endpoint: `tcp://HOST:PORT` or `ipc://PATH`; port `*` takes any free one.
        protected: other machines may reach it.
        name: of the key that gives it.

    Raises:
        PublishError: it is malformed, in use, or not local.
    """
    scheme, _, address = endpoint.partition("://")
    port = address.rpartition(":")[2]
    if scheme not in ("tcp", "ipc") or not address:
        raise PublishError(
            f"{name} = '{endpoint}' is no endpoint", remedy="give tcp://127.0.0.1:PORT or ipc://PATH"
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
            f"{name} = '{endpoint}' names no port from 1 to 65535",
            remedy="give tcp://HOST:PORT, such as tcp://127.0.0.1:5567",
        )
    if not protected and not is_local(endpoint):
        raise PublishError(
            f"{name} = '{endpoint}' can be reached from other machines, and messages are not protected",
            remedy="give keys ('genrecast keys new'), bind to tcp://127.0.0.1:PORT or ipc://PATH, "
            "or say open_to_network = true",
        )
    socket.setsockopt(zmq.IPV6, "[" in endpoint)
    try:
        socket.bind(endpoint)
    except zmq.ZMQError as error:
        raise PublishError(
            f"can't bind '{endpoint}': {error.strerror}",
            remedy="stop whatever uses it, or give another endpoint such as tcp://127.0.0.1:5577",
        ) from error
    return socket.getsockopt_string(zmq.LAST_ENDPOINT)


def is_served(path: str) -> bool:
    """Say whether somebody listens on a Unix socket; one that was left behind is nobody's."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path.replace("@", "\0", 1) if path.startswith("@") else path)
        except OSError:
            return False
    return True
