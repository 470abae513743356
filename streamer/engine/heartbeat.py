"""How the daemon itself is, as its heartbeat and its service manager are told."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterable

import msgspec

from streamer import __version__
from streamer.config import StationConfig
from streamer.engine.crew import Crew
from streamer.engine.process import cpu_s, rss_mb
from streamer.engine.stages import total
from streamer.engine.wire import Ready
from streamer.flow import State
from streamer.publish.bus import Bus
from streamer.publish.messages import Attending, Heartbeat, utc

HEARTBEAT_S = 5.0
TOGETHER_S = 0.1  # news that come together are told together


class Pace:
    """Numbers heartbeats, and says how long it has been and what was spent from one to the next.

    Args:
        now: monotonic seconds.
        spent_s: CPU seconds so far.
    """

    def __init__(self, now: float, spent_s: float) -> None:
        self._started = self._before = now
        self._spent_s = spent_s
        self._seq = 0

    def next(self, now: float, spent_s: float) -> tuple[int, float, float]:
        """Give `seq` and `uptime` of the next one, and the share of a core since the one before."""
        spent_s, self._spent_s = max(spent_s - self._spent_s, 0.0), spent_s
        passed_s, self._before = max(now - self._before, 1e-3), now
        seq, self._seq = self._seq, self._seq + 1
        return seq, round(now - self._started, 3), spent_s / passed_s if seq else 0.0


class Heart:
    """Makes heartbeats, one after the other.

    Args:
        bus: where it is known what was last said of stations.
        boot: id of this run of the daemon.
        ready: what a worker said of the model.
        crew: the workers.
    """

    def __init__(self, bus: Bus, boot: str, ready: Ready, crew: Crew) -> None:
        self._bus, self._boot, self._ready, self._crew = bus, boot, ready, crew
        self._pace = Pace(time.monotonic(), cpu_s())

    def beat(
        self, states: dict[State, int], lags_ms: list[float], factor: float, attendants: dict[str, Attending]
    ) -> Heartbeat:
        """Give the next one.

        Args:
            states: how many stations are in each.
            lags_ms: of the windows since the last one.
            factor: by which hops are longer than asked for.
            attendants: how each of them is.
        """
        pulses, members = self._crew.pulses, self._crew.members
        now, spent_s = time.monotonic(), cpu_s() + sum(pulse.cpu_s for pulse in pulses)
        seq, uptime, cpu = self._pace.next(now, spent_s)
        ordered = sorted(lags_ms)
        return Heartbeat(
            station="-",
            seq=seq,
            boot=self._boot,
            time=utc(time.time()),
            version=__version__,
            model=self._ready.model,
            provider=self._ready.provider,
            uptime=uptime,
            stations=states,
            cpu=round(cpu, 4),
            cpu_by_stage=total({"daemon": cpu_s()}, *(member.cpu_by_stage for member in members)),
            rss_mb=round(rss_mb() + sum(pulse.rss_mb for pulse in pulses), 1),
            lag_ms_p50=percentile(ordered, 0.50),
            lag_ms_p99=percentile(ordered, 0.99),
            windows=sum(member.windows for member in members),
            dropped=sum(member.dropped for member in members),
            hop_stretch=round(factor, 3),
            workers=sum(member.pid is not None for member in members),
            restarts=sum(member.restarts for member in members),
            attendants=attendants,
        )

    def states(self, stations: Iterable[StationConfig]) -> dict[State, int]:
        """Count stations by what was last said of them."""
        return dict(Counter(state_of(self._bus, station.id) for station in stations))


async def until_due(news: asyncio.Event) -> None:
    """Wait until the next heartbeat is due: after `HEARTBEAT_S`, or when there are news."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(news.wait(), HEARTBEAT_S)
        await asyncio.sleep(TOGETHER_S)
    news.clear()


def in_words(states: dict[State, int]) -> str:
    """Give how many stations are in each state as a line for people."""
    parts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{sum(states.values())} station(s): {parts}"


def percentile(ordered: list[float], share: float) -> float | None:
    """Give the value below which `share` of the sorted values lie; None of nothing."""
    if not ordered:
        return None
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)


class _Told(msgspec.Struct):
    state: State


def state_of(bus: Bus, station: str) -> State:
    """Give what was last said of a station."""
    said = bus.last("genre", station)
    return "no-signal" if said is None else msgspec.json.decode(said, type=_Told).state
