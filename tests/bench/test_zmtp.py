"""Clients by hand, at real sockets of libzmq."""

import zmq

from bench.zmtp import connect, frames, subscription

LONG = b"x" * 700


def bound(context: "zmq.Context[zmq.Socket[bytes]]", kind: int) -> "tuple[zmq.Socket[bytes], int]":
    socket = context.socket(kind)
    socket.setsockopt(zmq.RCVTIMEO, 10_000)
    return socket, socket.bind_to_random_port("tcp://127.0.0.1")


def test_what_is_published_by_hand_is_received() -> None:
    with zmq.Context() as context:
        socket, port = bound(context, zmq.SUB)
        socket.subscribe(b"genre/")
        with socket, connect(port, "PUB") as publisher:
            publisher.sendall(frames(b"genre/a/", LONG))

            assert socket.recv_multipart() == [b"genre/a/", LONG]


def test_what_is_subscribed_to_by_hand_is_sent() -> None:
    with zmq.Context() as context:
        socket, port = bound(context, zmq.XPUB)
        with socket, connect(port, "SUB") as subscriber:
            subscriber.sendall(subscription(b"genre/"))
            assert socket.recv() == b"\x01genre/"
            socket.send_multipart([b"genre/a/", LONG])

            wanted = frames(b"genre/a/", LONG)
            got = b""
            while len(got) < len(wanted):
                got += subscriber.recv(4096)
            assert got == wanted
