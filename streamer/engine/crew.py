"""The daemon's side of a worker: started, watched, started again when it dies, and told who killed it.

Nothing here imports the model or a decoder: whatever hostile bytes do, they do it elsewhere.
"""

import asyncio
import logging
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable

from streamer.config import Config, StationConfig
from streamer.engine.launch import Launch, with_stations
from streamer.engine.stages import total
from streamer.engine.watch import hang
from streamer.engine.wire import FromWorker, Pulse, Ready, Start, Stop, Stretch, Wire
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
    ) -> None:
        self.stations = list(config.station)
        self.restarts = 0
        self.pulse: Pulse | None = None
        self.ready: asyncio.Future[FromWorker | None] = asyncio.get_running_loop().create_future()
        self._config, self._boot = config, boot
        self._launch: Launch | None = launch
        self._hear, self._lost, self._quarantined = hear, lost, quarantined
        self._wire: Wire | None = None
        self._factor: float | None = None
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
        memories: dict[str, Memory] = {}
        wait_s = FIRST_WAIT_S
        while True:
            began = time.monotonic()
            config = with_stations(self._config, tuple(self.stations))
            self._launch = self._launch or Launch(config)
            why = await self._serve(self._launch, config, memories)
            suspects = _suspects(config, self._launch.blame.station)
            self._launch.kill()
            self._bury()
            if self._stopping.is_set() or not self.stations:
                return
            self.restarts += 1
            log.warning("worker: %s; %d stations wait for another", why, len(self.stations))
            memories = self._lost(self.stations, why)
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

    def ended(self, station: str) -> None:
        """Take note that a station needs nobody any more."""
        self.stations = [other for other in self.stations if other.id != station]

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

    async def _serve(self, launch: Launch, config: Config, memories: dict[str, Memory]) -> str:
        """Speak with a process until it has gone; give what became of it."""
        reader, writer = await asyncio.open_connection(sock=launch.connection)
        wire = Wire(FromWorker, reader, writer)
        wire.send(Start(config, self._boot, memories, logging.getLogger().getEffectiveLevel()))
        watch = asyncio.create_task(self._watch(launch))
        try:
            while (said := await wire.read()) is not None:
                if isinstance(said, Ready):
                    self._wire = wire
                    if self._factor is not None:
                        wire.send(Stretch(self._factor))
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

    def _judge(self, suspects: list[StationConfig], why: str) -> None:
        """Put away who has done it too often."""
        now = time.monotonic()
        for station in suspects:
            times = self._crashes.setdefault(station.id, deque(maxlen=CRASHES))
            times.append(now)
            if len(times) == CRASHES and now - times[0] < WITHIN_S:
                self.ended(station.id)
                self._quarantined(station, why)


def _suspects(config: Config, number: int | None) -> list[StationConfig]:
    """Give the stations that may have been it; where none was at work, those that work in threads."""
    if number is not None and number < len(config.station):
        return [config.station[number]]
    others = (station.source.partition(":")[0].lower() not in ON_THE_LOOP for station in config.station)
    return [station for station, other in zip(config.station, others, strict=True) if other]


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
