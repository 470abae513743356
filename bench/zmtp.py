"""ZMTP 3.0 (rfc.zeromq.org/spec/23) by hand, for clients that cost next to nothing.

What is measured is a server with many clients; libzmq and Python on their side, on the same cores, would
take more than the server.
"""

import socket

_GREETING = b"\xff" + bytes(8) + b"\x7f" + b"\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)


def connect(port: int, kind: str) -> socket.socket:
    """Connect to a server on loopback as a socket of this kind, `PUB` or `SUB`."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(_GREETING)
    _exactly(connection, len(_GREETING))
    body = b"\x05READY\x0bSocket-Type" + len(kind).to_bytes(4, "big") + kind.encode()
    connection.sendall(b"\x04" + bytes([len(body)]) + body)
    _, length = _exactly(connection, 2)
    _exactly(connection, length)
    return connection


def subscription(prefix: bytes) -> bytes:
    """Give the message by which a SUB socket subscribes."""
    return b"\x00" + bytes([len(prefix) + 1]) + b"\x01" + prefix


def frames(topic: bytes, payload: bytes) -> bytes:
    """Give a message of two frames, the first of at most 255 bytes and the second of more."""
    return b"\x01" + bytes([len(topic)]) + topic + b"\x02" + len(payload).to_bytes(8, "big") + payload


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError("the server has closed the connection")
        data += more
    return data
