"""The daemon's side of a worker: started, watched, started again when it dies, and told who killed it.

Nothing here imports the model or a decoder: whatever hostile bytes do, they do it elsewhere.
"""

import asyncio
import logging
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable

from streamer.config import Config, StationConfig
from streamer.engine.launch import Launch, with_stations
from streamer.engine.stages import total
from streamer.engine.watch import hang
from streamer.engine.wire import Alter, Ended, FromWorker, Pulse, Ready, Start, Stop, Stretch, Watch, Wire
from streamer.publish.reporter import Memory

log = logging.getLogger(__name__)

HANG_S = 10.0  # without a beat a second: nothing that a worker does takes as long, but a decoder gone mad
CRASHES, WITHIN_S = 3, 3600.0  # so many that one station has caused, and it is left alone
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 30.0  # before another is started, where they keep dying
READY_S = 60.0  # to load a model from a slow disk
ON_THE_LOOP = ("http", "https", "soundcard", "stdin")  # schemes whose sources decode there, in no thread


class Member:
    """One worker for as long as the daemon runs, through however many processes.

    Args:
        config: with the stations that are its own.
        boot: id of this run of the daemon.
        launch: the first process.
        hear: takes what it says.
        lost: is told which stations nobody listens to now, why, and gives what was told of each.
        quarantined: is told which station will not be listened to again, and why.
        left: is told which station was taken out, and has gone.
        memories: what was told of its stations before.
    """

    def __init__(
        self,
        config: Config,
        boot: str,
        launch: Launch,
        *,
        hear: Callable[["Member", FromWorker], None],
        lost: Callable[[list[StationConfig], str], dict[str, Memory]],
        quarantined: Callable[[StationConfig, str], None],
        left: Callable[[str], None],
        memories: dict[str, Memory] | None = None,
    ) -> None:
        self.stations = {station.id: station for station in config.station}
        self.leaving: set[str] = set()  # taken out, and not gone yet
        self.restarts = 0
        self.pulse: Pulse | None = None
        self.ready: asyncio.Future[FromWorker | None] = asyncio.get_running_loop().create_future()
        self._config, self._boot = config, boot
        self._launch: Launch | None = launch
        self._hear, self._lost, self._quarantined, self._left = hear, lost, quarantined, left
        self._memories = memories or {}  # what the process must yet be told that was said before
        self._told: list[StationConfig] = []  # what the process was told of, in the order of its numbers
        self._at_work: dict[str, int] = {}  # which of them it has, by id
        self._wire: Wire | None = None
        self._factor: float | None = None
        self._watched: frozenset[str] = frozenset()
        self._windows = self._dropped = 0  # of the processes before
        self._cpu_by_stage: dict[str, float] = {}
        self._crashes: dict[str, deque[float]] = {}
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Of the process, while there is one."""
        return self._launch.process.pid if self._launch else None

    @property
    def windows(self) -> int:
        """Windows done so far."""
        return self._windows + (self.pulse.windows if self.pulse else 0)

    @property
    def dropped(self) -> int:
        """Windows that were due and not done so far."""
        return self._dropped + (self.pulse.dropped if self.pulse else 0)

    @property
    def cpu_by_stage(self) -> dict[str, float]:
        """CPU seconds so far, by what they were spent on."""
        return total(self._cpu_by_stage, self.pulse.stages if self.pulse else {})

    async def run(self) -> None:
        """Keep a worker at work until it is stopped or has no station left."""
        wait_s = FIRST_WAIT_S
        while True:
            began = time.monotonic()
            config = with_stations(self._config, tuple(self.stations.values()))
            self._launch = self._launch or Launch(config)
            why = await self._serve(self._launch, config)
            suspects = self._suspects(self._launch.blame.station)
            self._launch.kill()
            self._bury()
            if self._stopping.is_set() or not self.stations:
                return
            self.restarts += 1
            log.warning("worker: %s; %d stations wait for another", why, len(self.stations))
            self._memories = self._lost(list(self.stations.values()), why)
            self._judge(suspects, why)
            if not self.stations:  # all are left alone: that is told as long as the daemon is there
                await self._stopping.wait()
                return
            wait_s = FIRST_WAIT_S if time.monotonic() - began > HANG_S else min(2 * wait_s, LONGEST_WAIT_S)
            await asyncio.sleep(wait_s)

    def stretch(self, factor: float) -> None:
        """Begin, or go on, with hops so many times longer than asked for."""
        if factor != self._factor:
            self._factor = factor
            if self._wire is not None:
                self._wire.send(Stretch(factor))
                self._wire.send(Watch(self._watched))

    def watch(self, stations: frozenset[str]) -> None:
        """Have `mel` messages made of these stations, as far as they are its own, and of no others."""
        self._watched = stations
        if self._wire is not None and self._factor is not None:  # what begins is told first
            self._wire.send(Watch(stations))

    def alter(self, remove: Iterable[str], put: Iterable[StationConfig], memories: dict[str, Memory]) -> None:
        """Take stations out, put others in, or the same with other lines.

        Args:
            remove: ids of those that it has.
            put: those that come or are changed.
            memories: what was told of those that it hadn't.
        """
        for id in remove:
            del self.stations[id]
            if id in self._at_work:
                self.leaving.add(id)
            else:
                self._left(id)
        for station in put:
            self.stations[station.id] = station
            self.leaving.discard(station.id)
            self._crashes.pop(station.id, None)
        self._memories |= memories
        self._tell()

    def ended(self, said: Ended) -> None:
        """Take note that a station has ended; one that was changed meanwhile goes on."""
        if self._at_work.get(said.station) == said.number:
            del self._at_work[said.station]
            self.stations.pop(said.station, None)
        if said.station in self.leaving:
            self.leaving.discard(said.station)
            self._left(said.station)

    def stop(self) -> None:
        """Ask the worker to end; it tells each station's end first."""
        self._stopping.set()
        if self._wire is not None:
            self._wire.send(Stop())

    def kill(self) -> None:
        """End the process, if it is still there."""
        if self._launch is not None:
            self._launch.kill()

    def _bury(self) -> None:
        """Keep what a process has counted; it is no more."""
        self._launch = self._wire = None
        if self.pulse is not None:
            self._windows, self._dropped = self.windows, self.dropped
            self._cpu_by_stage = self.cpu_by_stage
            self.pulse = None
        self._at_work = {}
        while self.leaving:
            self._left(self.leaving.pop())

    def _tell(self) -> None:
        """Tell the process, where it is ready, which stations are others than it was told."""
        if self._wire is None:
            return
        has = {id: self._told[number] for id, number in self._at_work.items()}
        drop = tuple(id for id, station in has.items() if self.stations.get(id) is not station)
        add = tuple(station for id, station in self.stations.items() if has.get(id) is not station)
        if drop or add:
            self._wire.send(Alter(drop, add, self._memories))
            self._memories = {}
            self._take_note(drop, add)

    def _take_note(self, drop: Iterable[str], add: Iterable[StationConfig]) -> None:
        for id in drop:
            del self._at_work[id]
        for station in add:
            self._at_work[station.id] = len(self._told)
            self._told.append(station)

    async def _serve(self, launch: Launch, config: Config) -> str:
        """Speak with a process until it has gone; give what became of it."""
        reader, writer = await asyncio.open_connection(sock=launch.connection)
        wire = Wire(FromWorker, reader, writer)
        wire.send(Start(config, self._boot, self._memories, logging.getLogger().getEffectiveLevel()))
        self._memories, self._told = {}, []
        self._take_note((), config.station)
        watch = asyncio.create_task(self._watch(launch))
        try:
            while (said := await wire.read()) is not None:
                if isinstance(said, Ready):
                    self._wire = wire
                    if self._factor is not None:
                        wire.send(Stretch(self._factor))
                        wire.send(Watch(self._watched))
                        self._tell()
                if not self.ready.done():
                    self.ready.set_result(said)
                self._hear(self, said)
        finally:
            watch.cancel()
        if not self.ready.done():
            self.ready.set_result(None)
        status = await _wait(launch.process)
        await wire.close()
        return _what_became(status, hung=watch.done() and not watch.cancelled())

    async def _watch(self, launch: Launch) -> None:
        """Kill a process that doesn't come round; its own loop can't tell that it hangs."""
        await hang(lambda: launch.blame.beats, READY_S, HANG_S)
        launch.process.kill()

    def _suspects(self, number: int | None) -> list[StationConfig]:
        """Give the stations that may have been it; where none was at work, those that work in threads."""
        if number is not None and number < len(self._told):
            return [self._told[number]]
        at_work = (self._told[number] for number in self._at_work.values())
        return [station for station in at_work if _scheme(station) not in ON_THE_LOOP]

    def _judge(self, suspects: list[StationConfig], why: str) -> None:
        """Put away who has done it too often."""
        now = time.monotonic()
        for station in suspects:
            times = self._crashes.setdefault(station.id, deque(maxlen=CRASHES))
            times.append(now)
            if len(times) == CRASHES and now - times[0] < WITHIN_S and station.id in self.stations:
                del self.stations[station.id]
                self._quarantined(station, why)


def _scheme(station: StationConfig) -> str:
    return station.source.partition(":")[0].lower()


async def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a process that has closed its end; one that doesn't go is made to."""
    for _ in range(50):
        status = process.poll()
        if status is not None:
            return status
        await asyncio.sleep(0.01)
    process.kill()
    return process.wait()


def _what_became(status: int, *, hung: bool) -> str:
    if hung:
        return f"the process that listens hung for {HANG_S:g} s"
    if status < 0:
        return f"the process that listens died of signal {signal.Signals(-status).name}"
    return f"the process that listens ended with status {status}"
