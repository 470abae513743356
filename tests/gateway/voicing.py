"""What daemons say of a station, and what a gateway passes on of it."""

import json
from collections.abc import Iterable
from typing import Any

from streamer.flow import Verdict
from streamer.gateway.own import Own
from streamer.gateway.voices import Voices
from streamer.publish.messages import Message, encode, topic
from streamer.publish.reporter import Reporter

OLD, NEW = "1-old", "2-new"
GATEWAY = "3-gateway"
SILENT_S = 5.0


class Daemon:
    """A daemon's voice at station `a`; what it says is kept as it would be sent."""

    def __init__(self, boot: str) -> None:
        self.sent: list[tuple[bytes, bytes]] = []
        self.last: dict[bytes, tuple[bytes, bytes]] = {}
        self._reporter = Reporter(self, "a", boot, ())

    def send(self, message: Message) -> None:
        name = topic(message.kind, message.station)
        self.last[name] = name, encode(message)
        self.sent.append(self.last[name])

    def hears(self, genre: str = "jazz", at: float = 0.0) -> list[tuple[bytes, bytes]]:
        verdict = Verdict("music", genre, 0.5, 0.0, at, None)
        self._reporter.genre(verdict, None, time=1e9 + at, now=1e9 + at, hop_s=1.0, title=None)
        return self.said()

    def hears_nothing(self, at: float = 0.0) -> list[tuple[bytes, bytes]]:
        self._reporter.no_signal(position_s=0.0, now=1e9 + at, hop_s=1.0)
        return self.said()

    def tells(self, event: str, reason: str = "ok", at: float = 0.0) -> list[tuple[bytes, bytes]]:
        self._reporter.status(event, now=1e9 + at, reason=reason)
        return self.said()

    def replays(self) -> list[tuple[bytes, bytes]]:
        return [message for name, message in self.last.items() if not name.startswith(b"change/")]

    def said(self) -> list[tuple[bytes, bytes]]:
        said, self.sent = self.sent, []
        return said


def voices() -> Voices:
    return Voices(Own(GATEWAY))


def read(messages: Iterable[tuple[bytes, bytes]]) -> list[dict[str, Any]]:
    return [json.loads(payload) for _, payload in messages]


def told(messages: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str, Any]]:
    """Give kind, boot, and what was said, in short."""
    return [
        (m["kind"], m["boot"], m.get("event") or m.get("state") or m.get("to", {}).get("state"))
        for m in read(messages)
    ]
