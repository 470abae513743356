"""The other end of the bus: messages as they come, replays told apart, losses counted."""

import logging
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec
import zmq

from streamer.errors import PublishError
from streamer.publish.handshakes import GIVEN_UP, REFUSED, Handshakes
from streamer.publish.keys import ClientKeys
from streamer.publish.messages import KINDS, UNREADABLE, Message

log = logging.getLogger(__name__)

# Messages that wait for one who is slow: the last ones of thousands of stations come at once.
WAITING = 20_000
MAX_MESSAGE = 1 << 20  # bytes; a spectrogram of a minute has 200 KB, all else less than 3
TELL_S = 10.0  # from one line about what was lost to the next
TIMEOUT_MS = 200  # how long a caller may wait for the chance to do something else

_MOMENTS = {"time", "since", "start", "end"}


class Subscriber:
    """Receives from a daemon or a gateway; it may start before or after it. What is lost is told in the log.

    Attributes:
        lost: how many messages are missing, by the holes in `seq` that have been seen.
        foreign: how many came that are none of ours.

    Args:
        endpoint: where the daemon publishes.
        prefixes: topics to receive, each with everything that begins with it.
        waiting: how many messages may wait for a caller that is slow, before some are lost.
        keys: where the daemon has some.
        who: receives, for the log.

    Raises:
        PublishError: the endpoint is malformed.
    """

    def __init__(
        self,
        endpoint: str,
        prefixes: tuple[str, ...] = ("",),
        *,
        waiting: int = WAITING,
        keys: ClientKeys | None = None,
        who: str = "us",
    ) -> None:
        self._endpoint, self._keys, self._who = endpoint, keys, who
        self.lost = self.foreign = self._told = 0
        self._tell_at = 0.0
        self._last: dict[tuple[str, str], tuple[str, int]] = {}
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, waiting)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE)
        self._handshakes = Handshakes(self._socket, GIVEN_UP)
        self._refused = False
        if keys is not None:
            keys.apply(self._socket)
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
        """Give messages as they come, each once; None whenever nothing came for `TIMEOUT_MS`."""
        while True:
            try:
                message = self._take(self._socket.recv_multipart())
            except zmq.Again:
                self._try_again()
                yield None
                continue
            if message is not None:
                yield message

    def drain(self) -> list[dict[str, Any]]:
        """Give what waits, at most `WAITING` messages, each once, without waiting for more."""
        messages = []
        for _ in range(WAITING):
            try:
                message = self._take(self._socket.recv_multipart(zmq.NOBLOCK))
            except zmq.Again:
                self._try_again()
                break
            if message is not None:
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
        self._tell()
        self._context.destroy(linger=0)

    def _take(self, frames: list[bytes]) -> dict[str, Any] | None:
        """Give the message in what came, None where it is none of ours or was there before."""
        message = parse(frames)
        if message is None:
            self.foreign += 1
            return None
        return message if self._is_new(message) else None

    def _is_new(self, message: dict[str, Any]) -> bool:
        key = (message["kind"], message["station"])
        boot, seq = self._last.get(key, ("", -1))
        if boot == message["boot"]:
            if message["seq"] <= seq:
                return False
            self.lost += message["seq"] - seq - 1
        self._last[key] = (message["boot"], message["seq"])
        if self.lost > self._told and time.monotonic() >= self._tell_at:
            self._tell()
        return True

    def _try_again(self) -> None:
        """Connect anew where we were refused, and say so the first time."""
        events = list(self._handshakes.since())
        if not events:
            return
        if not self._refused:
            self._refused = True
            why = "its keys and ours don't go together"
            if events[-1] == REFUSED and self._keys is not None:
                why = self._keys.refusal
            log.warning("%s doesn't let us in: %s", self._endpoint, why)
        self._socket.disconnect(self._endpoint)
        self._socket.connect(self._endpoint)

    def _tell(self) -> None:
        if self.lost > self._told:
            log.warning(
                "%d message(s) were lost on the way to %s: more come than are taken",
                self.lost - self._told,
                self._who,
            )
            self._told, self._tell_at = self.lost, time.monotonic() + TELL_S


def parse(frames: list[bytes]) -> dict[str, Any] | None:
    """Give the message in what came over the socket; None where it keeps no schema of ours."""
    try:
        _, payload = frames
        kind = msgspec.json.decode(payload, type=Message).kind
        msgspec.json.decode(payload, type=KINDS.get(kind, Message))
        message: dict[str, Any] = msgspec.json.decode(payload)
        for holder in (message, message["from"]) if kind == "change" else (message,):
            for moment in _MOMENTS & holder.keys():
                datetime.fromisoformat(holder[moment]).astimezone()  # the schema's pattern takes hour 99
    except UNREADABLE:
        return None
    return message
