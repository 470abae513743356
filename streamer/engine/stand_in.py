"""Speaks for stations that nobody listens to: their worker died, they are left alone, they were taken out."""

import logging
import time

from streamer.config import StationConfig
from streamer.errors import WorkerError
from streamer.publish.bus import Bus
from streamer.publish.memory import recall
from streamer.publish.reporter import Memory, Reporter

log = logging.getLogger(__name__)


class StandIn:
    """Goes on from what was last told of a station.

    Args:
        bus: where it is told.
        boot: id of this run of the daemon.
        hop_s: seconds from one window to the next.
    """

    def __init__(self, bus: Bus, boot: str, hop_s: float) -> None:
        self._bus, self._boot, self._hop_s = bus, boot, hop_s
        self._past: dict[str, Memory] = {}  # of stations that were taken out: they may come again

    def memory(self, station: str) -> Memory:
        """Give what the next messages of a station must go on from."""
        return recall(self._bus, station, self._past.get(station))

    def lost(self, stations: list[StationConfig], why: str) -> dict[str, Memory]:
        """Tell that nobody listens for a moment; give what whoever does so next must go on from."""
        memories = {}
        for station in stations:
            reporter, now = self._reporter(station.id), time.time()
            reporter.status("lost", now=now, reason=WorkerError.code, detail=why)
            reporter.no_signal(position_s=0.0, now=now, hop_s=self._hop_s)
            memories[station.id] = reporter.memory
        return memories

    def quarantined(self, station: StationConfig, why: str) -> None:
        """Tell that a station will not be listened to again."""
        detail = (
            "it brought down its worker three times and is left alone until its lines in the configuration "
            f"change or the daemon restarts; {why}"
        )
        log.error("%s: %s", station.id, detail)
        self._reporter(station.id).status("stopped", now=time.time(), reason="quarantined", detail=detail)

    def removed(self, station: str) -> None:
        """Tell that a station was taken out, and keep nothing of it for whoever comes late."""
        reporter = self._reporter(station)
        detail = "it was taken out of the configuration"
        reporter.status("stopped", now=time.time(), reason="removed", detail=detail)
        log.info("%s: stopped: %s", station, detail)
        self._past[station] = reporter.memory
        self._bus.forget(station)

    def _reporter(self, station: str) -> Reporter:
        return Reporter(self._bus, station, self._boot, (), self.memory(station))
