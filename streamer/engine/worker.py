"""A worker: the process that listens to a share of the stations, and tells the daemon what they play.

It does all for its stations on one event loop: read, decode, mel, model, decide. The daemon
starts it, hands it one end of a socket pair and a note in shared memory (`engine.blame`), and
starts another one when it dies.
"""

import asyncio
import gc
import logging
import os
import socket
import sys
import time
from functools import partial

from streamer import log
from streamer.config import StationConfig
from streamer.engine.blame import Blame
from streamer.engine.listener import Listener
from streamer.engine.process import cpu_s, give_back, rss_mb
from streamer.engine.roster import Roster
from streamer.engine.scheduler import Scheduler
from streamer.engine.station import Station
from streamer.engine.tick import TickSelector
from streamer.engine.wire import (
    Alter,
    Ended,
    Pulse,
    Ready,
    Said,
    Start,
    Stop,
    Stretch,
    ToWorker,
    Watch,
    Wire,
    failure_of,
)
from streamer.errors import GenrecastError, SourceError
from streamer.model.session import Model
from streamer.publish.messages import Message, encode, topic
from streamer.publish.reporter import Memory, Reporter
from streamer.source.open import open_source

BEAT_S = 1.0
TICK_S = 0.1  # a third of what the answer of one among hundreds may take
MANY = 16  # stations, from which on they are looked at tick by tick
EARLY_S = 0.1  # what servers send at a time: few stations may cost a look more, and answer sooner
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
        self._relay = Relay(wire)
        self._scheduler = Scheduler(model)
        self._lags: list[float] = []
        self._dropped = 0
        self._watched: set[str] = set()
        self._stations = Roster(self._station, self._ended, blame, start.memories)

    async def run(self) -> None:
        """Listen until the daemon says stop or has gone, or no station is left."""
        self._alter((), self._start.config.station)
        tasks = [asyncio.create_task(work) for work in (self._stations.over(), self._beat(), self._obey())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait([*tasks, asyncio.create_task(self._stations.end())], timeout=CLOSE_S)
        self._relay.flush()
        self._pulse(0.0)

    def stretch(self, factor: float) -> None:
        """Make all hops so many times longer than they were asked for."""
        self._stations.stretch(factor)

    def _alter(self, drop: tuple[str, ...], add: tuple[StationConfig, ...]) -> None:
        self._stations.alter(drop, add)
        self._selector.tick_s = TICK_S if self._stations.count >= MANY else 0.0

    def _station(self, config: StationConfig, memory: Memory) -> Station:
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
            watched=self._watched,
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
            early_s=0.0 if self._stations.count >= MANY else EARLY_S,
        )

    def _drop(self, windows: int) -> None:
        self._dropped += windows

    def _ended(self, station: str, number: int, error: SourceError | None) -> None:
        self._relay.flush()
        self._wire.send(Ended(station, number, None if error is None else failure_of(error)))

    async def _obey(self) -> None:
        while True:
            match await self._wire.read():
                case Stretch(factor):
                    self.stretch(factor)
                case Alter(drop, add, memories):
                    self._stations.memories.update(memories)
                    self._alter(drop, add)
                case Watch(stations):
                    self._watched.clear()
                    self._watched.update(stations)
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
        windows, stages = self._scheduler.windows, self._scheduler.stages.told()
        busy = min(max(busy, 0.0), 1.0)
        self._wire.send(Pulse(lags, windows, self._dropped, busy, cpu_s(), rss_mb(), stages))


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


if __name__ == "__main__":
    selector = TickSelector()
    note, pair = (int(argument) for argument in sys.argv[1:3])
    loop = asyncio.SelectorEventLoop(selector)
    loop.run_until_complete(main(socket.socket(fileno=pair), Blame(note), selector))
    logging.shutdown()
    # Python's own end waits for threads, and one may hang in a name server or on a disk.
    os._exit(0)
