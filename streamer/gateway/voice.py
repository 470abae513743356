"""One daemon at one station: what it last said there, and whether it may speak for the station."""

from typing import Annotated

import msgspec
from msgspec import Meta

from streamer.flow import State

SILENT_S = 5.0  # between two messages, or three hops where those are longer: who is there speaks every hop
SILENT_HOPS, LONGEST_HOP_S = 3, 60.0
FORGOTTEN_S = 3600.0  # so long unheard of, a daemon doesn't come again with the same `boot`
NOBODY = ""
"""The boot of who speaks for a station of which nothing has been heard yet."""


class Head(msgspec.Struct):
    """What is looked at of a message; the rest is passed on as it came."""

    seq: Annotated[int, Meta(ge=0)]
    boot: Annotated[str, Meta(min_length=1)]
    state: State = "no-signal"
    event: str = ""
    reason: str = ""
    hop: float = 0.0


class Voice:
    """Takes a daemon's messages of a station.

    Attributes:
        boot: of the daemon.
        at: when it last spoke.
        state: that it last said.
        stopped: it has said that it listens no more.
        removed: since the station is no longer in its configuration.
        status: its last `status` message.
        genre: its last `genre` message.
        told: the latter was passed on.
    """

    __slots__ = (
        *("at", "boot", "genre", "removed", "state", "status", "stopped", "told"),
        *("_hop_s", "_seqs", "_silent_s"),
    )

    def __init__(self, boot: str) -> None:
        self.boot = boot
        self.state: State = "no-signal"
        self.stopped = self.removed = self.told = False
        self.status: bytes | None = None
        self.genre: bytes | None = None
        self._seqs: dict[str, int] = {}
        self.at, self._hop_s, self._silent_s = 0.0, 0.0, SILENT_S

    @property
    def is_heard(self) -> bool:
        """Whether there is a signal."""
        return not self.stopped and self.state != "no-signal"

    def take(self, kind: str, payload: bytes, head: Head, now: float) -> bool:
        """Take a message; False where it, or a later one of its kind, was there before."""
        if head.seq <= self._seqs.get(kind, -1):
            return False
        self._seqs[kind] = head.seq
        self.at = now
        if kind == "genre":
            self.genre, self.state, self.told = payload, head.state, False
            if head.hop != self._hop_s:
                self._hop_s = head.hop
                self._silent_s = max(SILENT_S, SILENT_HOPS * min(head.hop, LONGEST_HOP_S))
        elif kind == "status":
            if self.stopped:  # it begins anew, and has not been heard since
                self.state = "no-signal"
            self.status, self.stopped = payload, head.event == "stopped"
            self.removed = self.stopped and head.reason == "removed"
        return True

    def is_silent(self, now: float) -> bool:
        """Say whether nothing came for so long that its daemon must be gone."""
        return now - self.at > self._silent_s

    def may_follow(self, current: "Voice", now: float) -> bool:
        """Say whether it takes over from who speaks for the station."""
        if current.boot == NOBODY:
            return True
        if self.stopped or self.is_silent(now):
            return False
        if self.is_heard and (self.boot > current.boot or not current.is_heard):
            return True
        return current.stopped or current.is_silent(now)
