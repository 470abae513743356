"""A worker: the process that listens to a share of the stations, and tells the daemon what they play.

It does all for its stations on one event loop: read, decode, mel, model, decide. The daemon
starts it, hands it one end of a socket pair and a note in shared memory (`engine.blame`), and
starts another one when it dies.
"""

import asyncio
import gc
import logging
import os
import selectors
import socket
import sys
import time
from functools import partial

from streamer import log
from streamer.config import StationConfig
from streamer.engine.blame import Blame
from streamer.engine.listener import Listener
from streamer.engine.process import cpu_s, give_back, rss_mb
from streamer.engine.scheduler import Scheduler
from streamer.engine.station import Station
from streamer.engine.wire import Ended, Failure, Pulse, Ready, Said, Start, Stop, Stretch, ToWorker, Wire
from streamer.errors import GenrecastError
from streamer.model.session import Model
from streamer.publish.messages import Message, encode, topic
from streamer.publish.reporter import Reporter
from streamer.source.open import open_source

BEAT_S = 1.0
TICK_S = 0.1  # a third of what the answer of one among hundreds may take
MANY = 16  # stations, from which on they are looked at tick by tick
EARLY_S = 0.1  # what servers send at a time: few stations may cost a look more, and answer sooner
START_S = 0.005  # from one station's start to the next one's: the bursts at connect are seconds of decoding
CLOSE_S = 0.4  # asked to end, a second is all there is: for sources to let go, and for the daemon's socket


class Relay:
    """Where a worker's messages go: to the daemon, those of one turn of the loop together."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._waiting: list[tuple[bytes, bytes]] = []

    def send(self, message: Message) -> None:
        """Take a message."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append((topic(message.kind, message.station), encode(message)))

    def flush(self) -> None:
        """Send what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._wire.send(Said(waiting))


class TickSelector(selectors.DefaultSelector):
    """Wakes at most once a tick, for all that has come since, and knows for how long it slept.

    A wake finds a core's caches filled by others, so a station for itself costs half as much again as
    one among ten (docs/performance.md).
    """

    tick_s = 0.0
    idle_s = 0.0
    _woken = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors`. Within a tick nothing new is looked for, and timers may be a tick late."""
        before = time.monotonic()
        wait_s = self._woken + self.tick_s - before
        if timeout is not None and timeout <= 0:
            return [] if wait_s > 0 else self._look(0)
        if wait_s > 0:
            time.sleep(wait_s)
            timeout = None if timeout is None else max(timeout - wait_s, 0.0)
        ready = self._look(timeout)
        self.idle_s += self._woken - before
        return ready

    def _look(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(timeout)
        self._woken = time.monotonic()
        return ready


class Worker:
    """The stations of one process.

    Args:
        start: what to do.
        model: loaded.
        wire: to the daemon.
        blame: the shared note.
        selector: of the loop.
    """

    def __init__(self, start: Start, model: Model, wire: Wire, blame: Blame, selector: TickSelector) -> None:
        self._start, self._model, self._wire = start, model, wire
        self._blame, self._selector = blame, selector
        self._many = len(start.config.station) >= MANY
        selector.tick_s = TICK_S if self._many else 0.0
        self._relay = Relay(wire)
        self._scheduler = Scheduler(model)
        self._lags: list[float] = []
        self._dropped = 0
        self._stations = [self._station(station) for station in start.config.station]

    async def run(self) -> None:
        """Listen until the daemon says stop or has gone, or no station is left."""
        tasks = [asyncio.create_task(self._live(*each)) for each in enumerate(self._stations)]
        others = [asyncio.create_task(self._beat()), asyncio.create_task(self._obey())]
        living = asyncio.ensure_future(asyncio.wait(tasks))
        await asyncio.wait([living, *others], return_when=asyncio.FIRST_COMPLETED)
        for task in (*tasks, *others):
            task.cancel()
        await asyncio.wait([*tasks, *others], timeout=CLOSE_S)
        self._relay.flush()
        self._pulse(0.0)

    def stretch(self, factor: float) -> None:
        """Make all hops so many times longer than they were asked for."""
        for station in self._stations:
            station.stretch(factor)

    def _station(self, config: StationConfig) -> Station:
        memory = self._start.memories.get(config.id)
        reporter = Reporter(self._relay, config.id, self._start.boot, self._model.contract.labels, memory)
        hop_s = self._start.config.hop
        duty = self._start.config.duty if config.duty is None else config.duty
        if duty < 1.0:
            hop_s = max(hop_s, self._model.contract.front_end.window_s / duty)
        new_listener = partial(
            Listener,
            id=config.id,
            model=self._model,
            scheduler=self._scheduler,
            reporter=reporter,
            lags=self._lags.append,
            dropped=self._drop,
        )
        return Station(
            config.id,
            open_source=partial(
                open_source,
                config.source,
                charset=config.charset,
                allow_private=self._start.config.security.allow_private,
            ),
            new_listener=new_listener,
            reporter=reporter,
            hop_s=hop_s,
            early_s=0.0 if self._many else EARLY_S,
        )

    def _drop(self, windows: int) -> None:
        self._dropped += windows

    async def _live(self, number: int, station: Station) -> None:
        await asyncio.sleep(number * START_S)
        error = await self._blame.marked(station.run(), number)
        self._relay.flush()
        self._wire.send(Ended(station.id, None if error is None else failure_of(error)))

    async def _obey(self) -> None:
        while True:
            match await self._wire.read():
                case Stretch(factor):
                    self.stretch(factor)
                case Stop() | None:
                    return

    async def _beat(self) -> None:
        """Show that the loop comes round, and tell how things are."""
        before, idle = time.monotonic(), self._selector.idle_s
        while True:
            await asyncio.sleep(BEAT_S)
            self._blame.beat()
            give_back()
            now = time.monotonic()
            self._pulse(1.0 - (self._selector.idle_s - idle) / max(now - before, 1e-3))
            before, idle = now, self._selector.idle_s

    def _pulse(self, busy: float) -> None:
        lags, self._lags[:] = list(self._lags), []
        windows = self._scheduler.windows
        self._wire.send(Pulse(lags, windows, self._dropped, min(max(busy, 0.0), 1.0), cpu_s(), rss_mb()))


async def main(connection: socket.socket, blame: Blame, selector: TickSelector) -> None:
    """Begin as the daemon says, then listen until it says stop."""
    reader, writer = await asyncio.open_connection(sock=connection)
    wire = Wire(ToWorker, reader, writer)
    start = await wire.read()
    if not isinstance(start, Start):
        return
    log.setup(start.log_level)
    try:
        model = Model.load(start.config.model, provider=start.config.provider)
    except GenrecastError as error:
        wire.send(failure_of(error))
        await wire.close()
        return
    wire.send(Ready(model.contract.name, model.provider, model.contract.labels))
    begin = await wire.read()
    if isinstance(begin, Stretch):
        worker = Worker(start, model, wire, blame, selector)
        worker.stretch(begin.factor)
        # What was made while starting stays for good: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        await worker.run()
    await wire.close()


def failure_of(error: GenrecastError) -> Failure:
    """Give an error as it travels."""
    return Failure(error.code, error.message, error.remedy, error.exit_status)


if __name__ == "__main__":
    selector = TickSelector()
    note, pair = (int(argument) for argument in sys.argv[1:3])
    loop = asyncio.SelectorEventLoop(selector)
    loop.run_until_complete(main(socket.socket(fileno=pair), Blame(note), selector))
    logging.shutdown()
    # Python's own end waits for threads, and one may hang in a name server or on a disk.
    os._exit(0)
