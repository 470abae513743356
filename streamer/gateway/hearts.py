"""One heartbeat of many: how all daemons behind the gateway are together."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from streamer import __version__
from streamer.engine.heartbeat import Pace
from streamer.engine.process import cpu_s, rss_mb
from streamer.engine.stages import total
from streamer.flow import State
from streamer.gateway.voice import FORGOTTEN_S
from streamer.publish.messages import Attending, Heartbeat, utc

MOST_DAEMONS = 10_000  # as many shards as Ray is tested with: beyond, somebody makes them up
GONE_S = 15.0  # three heartbeats: so long unheard of, a daemon is gone or hangs


class Counted(NamedTuple):
    """What daemons that have gone had counted."""

    windows: int = 0
    dropped: int = 0
    restarts: int = 0
    cpu_by_stage: Mapping[str, float] = {}

    def plus(self, beats: Sequence[Heartbeat]) -> "Counted":
        """Add what some more had."""
        return Counted(
            self.windows + sum(beat.windows for beat in beats),
            self.dropped + sum(beat.dropped for beat in beats),
            self.restarts + sum(beat.restarts for beat in beats),
            total(self.cpu_by_stage, *(beat.cpu_by_stage for beat in beats)),
        )


class Hearts:
    """Takes the heartbeats of daemons, and makes the gateway's own. Time is `now`, in seconds.

    What counts from a daemon's start never runs back: it stays counted when the daemon has gone. Only of too
    many the one that was heard of the longest ago is forgotten.

    Args:
        boot: id of this run of the gateway.
        now: this moment.
    """

    def __init__(self, boot: str, now: float) -> None:
        self._boot, self._pace = boot, Pace(now, cpu_s())
        self._beats: dict[str, tuple[Heartbeat, float]] = {}  # the longest ago first
        self._past = Counted()

    def take(self, payload: bytes, now: float) -> bool:
        """Take a daemon's heartbeat; True where it is the first of it.

        Raises:
            msgspec.MsgspecError: it is none.
        """
        beat = msgspec.json.decode(payload, type=Heartbeat)
        new = self._beats.pop(beat.boot, None) is None
        if len(self._beats) >= MOST_DAEMONS:
            del self._beats[next(iter(self._beats))]
        self._beats[beat.boot] = beat, now
        return new

    def beat(self, states: dict[State, int], attendants: dict[str, Attending], now: float) -> Heartbeat:
        """Give the next one.

        Args:
            states: how many stations are in each.
            attendants: the gateway's own.
            now: this moment.
        """
        over = [boot for boot, (_, at) in self._beats.items() if now - at > FORGOTTEN_S]
        self._past = self._past.plus([self._beats.pop(boot)[0] for boot in over])
        counted = self._past.plus([beat for beat, _ in self._beats.values()])
        here = [beat for beat, at in self._beats.values() if now - at <= GONE_S]
        spent_s = cpu_s()
        seq, uptime, cpu = self._pace.next(now, spent_s)
        return Heartbeat(
            station="-",
            seq=seq,
            boot=self._boot,
            time=utc(time.time()),
            version=__version__,
            model=_names(beat.model for beat in here),
            provider=_names(beat.provider for beat in here),
            uptime=uptime,
            stations=states,
            cpu=round(cpu + sum(beat.cpu for beat in here), 4),
            cpu_by_stage=total(counted.cpu_by_stage, {"gateway": spent_s}),
            rss_mb=round(rss_mb() + sum(beat.rss_mb for beat in here), 1),
            lag_ms_p50=_middle(here),
            lag_ms_p99=max((beat.lag_ms_p99 for beat in here if beat.lag_ms_p99 is not None), default=None),
            windows=counted.windows,
            dropped=counted.dropped,
            hop_stretch=max((beat.hop_stretch for beat in here), default=1.0),
            workers=sum(beat.workers for beat in here),
            restarts=counted.restarts,
            attendants=_worst([*(beat.attendants for beat in here), attendants]),
            daemons=sum(beat.daemons for beat in here),
        )


def _names(given: Iterable[str]) -> str:
    return ", ".join(sorted(set(given)))


def _middle(beats: list[Heartbeat]) -> float | None:
    """Give the median of the daemons' medians, each as often as it has stations."""
    lags = sorted(
        (beat.lag_ms_p50, sum(beat.stations.values())) for beat in beats if beat.lag_ms_p50 is not None
    )
    half, seen = sum(weight for _, weight in lags) / 2, 0
    for lag_ms, weight in lags:
        seen += weight
        if seen >= half:
            return lag_ms
    return None


def _worst(given: list[dict[str, Attending]]) -> dict[str, Attending]:
    """Give of each attendant how it is where it is worst."""
    worst: dict[str, Attending] = {}
    for attendants in given:
        for name, told in attendants.items():
            if name not in worst or (worst[name].code is None and told.code is not None):
                worst[name] = told
    return worst
