"""The other end of the bus: messages as they come, replays told apart, losses counted."""

import json
from collections.abc import Iterator
from typing import Any

import zmq

from streamer.errors import PublishError

TIMEOUT_MS = 200  # how long a caller may wait for the chance to do something else


class Subscriber:
    """Receives from a daemon or a gateway; it may start before or after it.

    Args:
        endpoint: where the daemon publishes.
        prefixes: topics to receive, each with everything that begins with it.
        waiting: how many messages may wait for a caller that is slow, before some are lost.

    Raises:
        PublishError: the endpoint is malformed.
    """

    def __init__(self, endpoint: str, prefixes: tuple[str, ...] = ("",), *, waiting: int = 1000) -> None:
        self.lost = 0
        self._last: dict[tuple[str, str], tuple[str, int]] = {}
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, waiting)
        for prefix in prefixes:
            self._socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self._context.destroy(linger=0)
            raise PublishError(
                f"can't connect to '{endpoint}': {error.strerror}",
                remedy="give the endpoint that the daemon names when it is ready, tcp://HOST:PORT",
            ) from error

    def messages(self) -> Iterator[dict[str, Any] | None]:
        """Give messages as they come, each once; None whenever nothing came for `TIMEOUT_MS`.

        `lost` counts the holes in `seq` that have been seen.
        """
        while True:
            try:
                _, payload = self._socket.recv_multipart()
            except zmq.Again:
                yield None
                continue
            message: dict[str, Any] = json.loads(payload)
            if self._is_new(message):
                yield message

    def drain(self, most: int) -> list[dict[str, Any]]:
        """Give what waits, at most so many messages, each once, without waiting for more."""
        messages = []
        for _ in range(most):
            try:
                _, payload = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            message: dict[str, Any] = json.loads(payload)
            if self._is_new(message):
                messages.append(message)
        return messages

    def want(self, prefix: str) -> None:
        """Receive what begins so too, from now on."""
        self._socket.setsockopt(zmq.SUBSCRIBE, prefix.encode())

    def leave(self, prefix: str) -> None:
        """Take a wish back."""
        self._socket.setsockopt(zmq.UNSUBSCRIBE, prefix.encode())

    def close(self) -> None:
        """Let go of the connection."""
        self._context.destroy(linger=0)

    def _is_new(self, message: dict[str, Any]) -> bool:
        key = (message["kind"], message["station"])
        boot, seq = self._last.get(key, ("", -1))
        if boot == message["boot"]:
            if message["seq"] <= seq:
                return False
            self.lost += message["seq"] - seq - 1
        self._last[key] = (message["boot"], message["seq"])
        return True
