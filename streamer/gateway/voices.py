"""The stations of all daemons: each message is led to its own, and what is passed on comes out."""

import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from streamer.flow import State
from streamer.gateway.own import Own
from streamer.gateway.station import Sent, Station
from streamer.gateway.voice import Head
from streamer.publish.memory import TOLD
from streamer.publish.messages import UNREADABLE, topic

MOST_STATIONS = 200_000  # twice what one cluster's file may have: beyond, somebody makes them up
_TOPIC = re.compile(rf"({'|'.join(TOLD)})/([a-z0-9][a-z0-9_-]{{0,63}})/")


class Voices:
    """All stations. Time is `now`, in seconds that never run back.

    Attributes:
        foreign: messages that were none of ours.
        beyond: messages of stations of which there are too many.

    Args:
        own: says what no daemon says.
    """

    def __init__(self, own: Own) -> None:
        self.foreign = self.beyond = 0
        self._own = own
        self._stations: dict[str, Station] = {}
        self._topics: dict[bytes, tuple[str, Station]] = {}
        self._removed: set[str] = set()
        self._decode = msgspec.json.Decoder(Head).decode

    def take(self, messages: Iterable[tuple[bytes, bytes]], now: float) -> Sent:
        """Take messages with their topics as they came; give those that are passed on."""
        out: Sent = []
        decode, topics = self._decode, self._topics
        for message in messages:
            name = message[0]
            try:
                head = decode(message[1])
            except UNREADABLE:
                self.foreign += 1
                continue
            known = topics.get(name) or self._know(name)
            if known is None:
                continue
            kind, station = known
            station.take(kind, message, head, now, out)
            if kind == "status" and station.current.removed:
                self._removed.add(name.split(b"/")[1].decode())
        return out

    def tick(self, now: float, time: float) -> Sent:
        """Look at all stations; give what there is to say. `time` is in seconds since the epoch."""
        out: Sent = []
        for station in self._stations.values():
            station.tick(now, time, out)
        for id in [id for id, station in self._stations.items() if station.is_over(now)]:
            self._forget(id)
        return out

    def removed(self) -> list[str]:
        """Give the stations that have been taken out of all configurations since this was last asked."""
        gone, self._removed = [id for id in self._removed if self._stations[id].current.removed], set()
        return gone

    def states(self) -> dict[State, int]:
        """Count stations by what was last said of them."""
        here = (station for station in self._stations.values() if not station.current.removed)
        return dict(Counter(station.state for station in here))

    def _forget(self, id: str) -> None:
        del self._stations[id]
        self._removed.discard(id)
        for kind in TOLD:
            self._topics.pop(topic(kind, id), None)
        self._own.forget(id)

    def _know(self, name: bytes) -> tuple[str, Station] | None:
        """Take note of a topic; None where it is none of ours, or of a station too many."""
        match = _TOPIC.fullmatch(name.decode("utf-8", "replace"))
        if match is None:
            self.foreign += 1
            return None
        kind, id = match.groups()
        if id not in self._stations:
            if len(self._stations) >= MOST_STATIONS:
                self.beyond += 1
                return None
            self._stations[id] = Station(id, self._own)
        self._topics[name] = known = kind, self._stations[id]
        return known
