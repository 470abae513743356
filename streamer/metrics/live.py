"""What is known of the daemon and its stations from what they last said."""

from collections import Counter
from typing import Any

from streamer.errors import GenrecastError
from streamer.publish.messages import seconds

FRESH_S = 15.0  # three heartbeats: so long unheard of, the daemon is gone or hangs


def codes(kind: type[GenrecastError] = GenrecastError) -> frozenset[str]:
    """Give the codes of all errors."""
    return frozenset({kind.code}).union(*map(codes, kind.__subclasses__()))


REASONS = codes()
"""What reconnects are counted by; whatever else a message says is `other`."""


class Live:
    """Takes messages; of a daemon that began anew, nothing older is kept but what was counted.

    At a gateway each station has the `boot` of its own daemon, and the heartbeat that of the gateway.

    Attributes:
        beat: the last heartbeat; None before the first.
        stations: the last `genre` message of each station, where they are subscribed to.
        without_signal: each station, with the Unix time since when it can't be heard; None where it can,
            or where it has come to its end.
        reconnects: how often a source was lost or could not be had, by reason.
    """

    def __init__(self) -> None:
        self.beat: dict[str, Any] | None = None
        self.stations: dict[str, dict[str, Any]] = {}
        self.without_signal: dict[str, float | None] = {}
        self.reconnects: Counter[str] = Counter()
        self._beat_at = 0.0
        self._boots: dict[str, str] = {}  # of the stations

    def take(self, message: dict[str, Any], now: float) -> None:
        """Take a message; `now` counts seconds, and never runs back."""
        station = message["station"]
        if message["kind"] != "heartbeat":
            self._boots[station] = message["boot"]
        match message["kind"]:
            case "heartbeat":
                if self.beat is not None and self.beat["boot"] != message["boot"]:
                    self._forget_those_of(self.beat["boot"])
                self.beat, self._beat_at = message, now
            case "genre":
                self.stations[station] = message
            case "status":
                self._take_status(station, message)

    def age_s(self, now: float) -> float | None:
        """Give the seconds since the last heartbeat; None before the first."""
        return None if self.beat is None else now - self._beat_at

    def trouble(self, now: float) -> str | None:
        """Say why the daemon isn't healthy; None where it is."""
        age_s = self.age_s(now)
        if age_s is None:
            return "nothing has been heard of the daemon yet"
        return None if age_s < FRESH_S else f"nothing has been heard of the daemon for {age_s:.0f} s"

    def unready(self, now: float) -> str | None:
        """Say why it isn't ready; None where the daemon is healthy and every station has been heard of."""
        trouble = self.trouble(now)
        if trouble is not None or self.beat is None:
            return trouble
        missing = sum(self.beat["stations"].values()) - len(self.without_signal)
        return f"{missing} station(s) have not been heard of yet" if missing > 0 else None

    def _take_status(self, station: str, message: dict[str, Any]) -> None:
        event, reason = message["event"], message["reason"]
        if event == "lost":
            self.reconnects[reason if reason in REASONS else "other"] += 1
        if event == "stopped" and reason == "removed":
            self._forget(station)
        elif event in ("connected", "format", "title") or (event == "stopped" and reason == "source-ended"):
            self.without_signal[station] = None
        elif self.without_signal.get(station) is None:
            self.without_signal[station] = seconds(message["time"])

    def _forget_those_of(self, boot: str) -> None:
        for station in [station for station, its in self._boots.items() if its == boot]:
            self._forget(station)

    def _forget(self, station: str) -> None:
        for known in (self._boots, self.without_signal, self.stations):
            known.pop(station, None)
