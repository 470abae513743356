"""The daemon: workers that listen, one socket, a heartbeat."""

import asyncio
import logging
import secrets
import statistics
import time
from collections import Counter
from typing import Any

import msgspec

from streamer import __version__
from streamer.config import Config, StationConfig
from streamer.engine.crew import Member
from streamer.engine.launch import Launch
from streamer.engine.load import Load
from streamer.engine.process import cpu_s, rss_mb
from streamer.engine.wire import Ended, Failure, FromWorker, Pulse, Ready, Said
from streamer.errors import GenrecastError, WorkerError
from streamer.flow import State
from streamer.publish.bus import Bus
from streamer.publish.keys import server_keys
from streamer.publish.memory import recall
from streamer.publish.messages import Heartbeat, utc
from streamer.publish.reporter import Memory, Reporter

log = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
LOOK_S = 1.0  # from one look at the load to the next
# Asked to end, everything is done within a second: half of it for the workers, the rest for the
# socket to send what is left.
CLOSE_S = 0.6


class Daemon:
    """Runs the stations of a configuration until it is asked to stop or all of them have ended.

    Args:
        config: checked.
        launches: the workers' first processes, each with its share of the configuration.

    Raises:
        PublishError: the endpoint can't be bound.
        KeysError: a file with keys can't be used.
    """

    def __init__(self, config: Config, launches: list[tuple[Config, Launch]]) -> None:
        self.boot = secrets.token_hex(4)
        self._config, self._launches = config, launches
        try:
            self.bus = Bus(
                config.bind, open_to_network=config.open_to_network, keys=server_keys(config.security)
            )
        except BaseException:
            for _, launch in launches:
                launch.kill()
            raise
        self._members: list[Member] = []
        self._ready: Ready | None = None
        self._ends: list[Failure] = []
        self._lags_ms: list[float] = []
        self._load = Load(config.hop)

    async def run(self, asked: asyncio.Event) -> list[Failure]:
        """Run until `asked` is set or no station is left.

        Returns:
            what made stations end for good, where none was asked to and it was not their own end.

        Raises:
            GenrecastError: a worker could not begin: no model, say.
        """
        self.bus.start()
        self._members = [
            Member(
                config,
                self.boot,
                launch,
                hear=self._hear,
                lost=self._lose,
                quarantined=self._quarantine,
            )
            for config, launch in self._launches
        ]
        runs = asyncio.gather(*(member.run() for member in self._members))
        stop = asyncio.create_task(asked.wait())
        others: list[asyncio.Task[None]] = []
        try:
            ready = asyncio.gather(*(member.ready for member in self._members))
            await _first(ready, runs, stop)
            if ready.done():
                self._begin(ready.result())
                others = [asyncio.create_task(self._beat()), asyncio.create_task(self._look())]
                await _first(runs, stop)
        finally:
            for member in self._members:
                member.stop()
            await asyncio.wait([runs], timeout=CLOSE_S)
            for task in (*others, stop):
                task.cancel()
            runs.cancel()
            for member in self._members:
                member.kill()
            self.bus.close()
        if asked.is_set():
            return []
        runs.result()  # raises what went wrong in it
        return self._ends

    def _begin(self, answers: list[FromWorker | None]) -> None:
        """Have the workers begin, where every one of them can."""
        for said in answers:
            if isinstance(said, Failure):
                raise as_error(said)
            if not isinstance(said, Ready):
                raise WorkerError(
                    "the process that listens died before it could begin",
                    remedy="see what it says above; 'genrecast doctor' tries the model",
                )
            self._ready = said
        assert self._ready is not None
        log.info(
            "ready: %d station(s), model %s on %s, %s",
            len(self._config.station),
            self._ready.model,
            self._ready.provider,
            self.bus.endpoint,
        )
        for member in self._members:
            member.stretch(1.0)

    def _hear(self, member: Member, said: FromWorker) -> None:
        match said:
            case Said(messages):
                self.bus.publish(messages)
            case Pulse():
                member.pulse = said
                self._lags_ms += said.lags_ms
            case Failure():
                log.error("worker: %s (%s)", said.message, said.remedy)
            case Ended(station, failure):
                member.ended(station)
                self._ends += [failure] if failure is not None else []

    def _reporter(self, station: StationConfig) -> Reporter:
        labels = self._ready.labels if self._ready else ()
        return Reporter(self.bus, station.id, self.boot, labels, recall(self.bus, station.id))

    def _lose(self, stations: list[StationConfig], why: str) -> dict[str, Memory]:
        """Tell that nobody listens for a moment."""
        memories = {}
        for station in stations:
            reporter, now = self._reporter(station), time.time()
            reporter.status("lost", now=now, reason=WorkerError.code, detail=why)
            reporter.no_signal(position_s=0.0, now=now, hop_s=self._config.hop)
            memories[station.id] = reporter.memory
        return memories

    def _quarantine(self, station: StationConfig, why: str) -> None:
        """Tell that a station will not be listened to again."""
        detail = f"it brought down its worker three times and is left alone until the daemon restarts; {why}"
        fields = {"station": station.id, "event": "stopped", "code": "quarantined"}
        log.error("%s: stopped: %s", station.id, detail, extra=fields)
        self._reporter(station).status("stopped", now=time.time(), reason="quarantined", detail=detail)

    async def _look(self) -> None:
        """Have all hops as long as the worst worker needs them."""
        while True:
            await asyncio.sleep(LOOK_S)
            pulses = [member.pulse for member in self._members if member.pulse is not None]
            late_ms = [statistics.median(pulse.lags_ms) for pulse in pulses if pulse.lags_ms]
            before = self._load.factor
            factor = self._load.look(
                busy=max((pulse.busy for pulse in pulses), default=0.0),
                late_ms=max(late_ms, default=0.0),
                now=time.monotonic(),
            )
            if before == 1.0 < factor:
                log.warning("more than this machine can do: hops become longer")
            if factor == 1.0 < before:
                log.warning("hops are as asked for again")
            for member in self._members:
                member.stretch(factor)

    async def _beat(self) -> None:
        """Tell how the daemon itself is, every `HEARTBEAT_S`."""
        assert self._ready is not None
        started = before = time.monotonic()
        spent, seq = cpu_s(), 0
        while True:
            pulses = [member.pulse for member in self._members if member.pulse is not None]
            now, spends = time.monotonic(), cpu_s() + sum(pulse.cpu_s for pulse in pulses)
            lags_ms, self._lags_ms = sorted(self._lags_ms), []
            self.bus.send(
                Heartbeat(
                    station="-",
                    seq=seq,
                    boot=self.boot,
                    time=utc(time.time()),
                    version=__version__,
                    model=self._ready.model,
                    provider=self._ready.provider,
                    uptime=round(now - started, 3),
                    stations=self._states(),
                    cpu=round(max(spends - spent, 0.0) / max(now - before, 1e-3), 4) if seq else 0.0,
                    rss_mb=round(rss_mb() + sum(pulse.rss_mb for pulse in pulses), 1),
                    lag_ms_p50=percentile(lags_ms, 0.50),
                    lag_ms_p99=percentile(lags_ms, 0.99),
                    windows=sum(member.windows for member in self._members),
                    dropped=sum(member.dropped for member in self._members),
                    hop_stretch=round(self._load.factor, 3),
                    workers=sum(member.pid is not None for member in self._members),
                    restarts=sum(member.restarts for member in self._members),
                )
            )
            seq, before, spent = seq + 1, now, spends
            await asyncio.sleep(HEARTBEAT_S)

    def _states(self) -> dict[State, int]:
        """Count the stations by what was last said of them."""
        last = (self.bus.last("genre", station.id) for station in self._config.station)
        return dict(Counter("no-signal" if said is None else _state_of(said) for said in last))


class _Told(msgspec.Struct):
    state: State


def _state_of(payload: bytes) -> State:
    return msgspec.json.decode(payload, type=_Told).state


async def _first(*waits: asyncio.Future[Any]) -> None:
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)


def as_error(failure: Failure) -> GenrecastError:
    """Give an error that has come from a worker as what it was."""
    error = GenrecastError(failure.message, remedy=failure.remedy)
    error.code, error.exit_status = failure.code, failure.exit_status  # type: ignore[misc]
    return error


def percentile(ordered: list[float], share: float) -> float | None:
    """Give the value below which `share` of the sorted values lie; None of nothing."""
    if not ordered:
        return None
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)
