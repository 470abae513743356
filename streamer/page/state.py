"""All stations as the page knows them, and what has changed since it was last asked."""

import time
from collections.abc import Iterable
from typing import Any

import msgspec

from streamer.page.station import SILENT_S, Began, Station

FORGOTTEN_S = 3600.0  # a station that is told of no more is shown for so long

_DAEMON = ("version", "model", "provider", "uptime", "cpu", "rss_mb", "lag_ms_p99", "hop_stretch")


class Stations:
    """Takes the bus's messages; gives what a browser is to show.

    At a gateway each station has the `boot` of its own daemon, and the heartbeat that of the gateway.

    Args:
        now: seconds since the epoch, at the start.
    """

    def __init__(self, now: float | None = None) -> None:
        self.all: dict[str, Station] = {}
        self._before: dict[str, Began] = {}
        self._heard = time.time() if now is None else now
        self._alive = False
        self._boot: str | None = None
        self._daemon: dict[str, Any] = {}
        self._gone: list[str] = []
        self._rows: dict[str, dict[str, Any]] = {}
        self._meters: dict[str, tuple[int, int | None]] = {}

    def take(self, messages: Iterable[dict[str, Any]], now: float) -> None:
        """Take messages; `now` is when they came."""
        for message in messages:
            self._heard, self._alive = now, True
            if message["kind"] == "heartbeat":
                self._follow(message["boot"])
                self._daemon = {name: message[name] for name in (*_DAEMON, "attendants")}
            elif message.get("reason") == "removed":
                self._forget(message["station"])
            elif message["kind"] in ("genre", "track", "status"):
                id = message["station"]
                if id not in self.all:
                    self.all[id] = Station(id, self._before.pop(id, ()))
                self.all[id].take(message)
        if now - self._heard > SILENT_S:
            self._alive = False

    def remember(self, strips: dict[str, Began]) -> None:
        """Take what was before the first messages."""
        for id, station in self.all.items():
            station.remember(strips.pop(id, ()))
        self._before = strips

    def daemon(self) -> dict[str, Any]:
        """Give how the daemon is; `lost` says since when nothing is heard of it."""
        return self._daemon | {"lost": None if self._alive else round(self._heard, 3)}

    def one(self, id: str, now: float) -> dict[str, Any]:
        """Give a station as its own page, and programs, are told of it."""
        station = self.all[id]
        confidence, level = station.meter()
        measured = {
            "confidence": confidence / 100,
            "level_dbfs": level,
            "probabilities": station.probabilities,
            "heard": round(station.heard, 3),
        }
        return {"now": round(now, 3), "station": station.row() | measured, "daemon": self.daemon()}

    def changes(self, now: float) -> dict[str, Any]:
        """Give what has changed since the last call: `rows`, `meters` and who is `gone`."""
        for id in [
            id for id, station in self.all.items() if now - station.heard > FORGOTTEN_S and self._alive
        ]:
            self._forget(id)
        gone, self._gone = self._gone, []
        rows, meters = [], []
        for id, station in self.all.items():
            row, meter = station.row(), station.meter()
            if self._rows.get(id) != row:
                self._rows[id] = row
                rows.append(row)
            if self._meters.get(id) != meter:
                self._meters[id] = meter
                meters.append((id, *meter))
        return {"now": round(now, 3), "rows": rows, "meters": meters, "gone": gone, "daemon": self.daemon()}

    def whole(self, now: float) -> dict[str, Any]:
        """Give all there is to show of all stations, with their strips: times before now, and names."""
        names: dict[str | None, int] = {}
        stations = []
        for station in self.all.values():
            strip: list[int] = []
            for began, what in station.strip:
                strip += (round(now - began), names.setdefault(what, len(names)))
            stations.append(station.row() | {"meter": station.meter(), "strip": strip})
        return {"now": round(now, 3), "stations": stations, "names": list(names), "daemon": self.daemon()}

    def _follow(self, boot: str) -> None:
        """Take note of whose heartbeat it is: where it is another's, the former's stations are unheard."""
        if boot != self._boot:
            for station in self.all.values():
                if station.boot == self._boot:
                    station.unheard()
            self._boot = boot

    def _forget(self, id: str) -> None:
        self._gone.append(id)
        for known in (self.all, self._rows, self._meters):
            known.pop(id, None)


def event(name: str, data: Any) -> bytes:
    """Give a server-sent event. JSON has no line breaks of its own, so that a title can't make one."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))
