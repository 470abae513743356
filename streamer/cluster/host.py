"""The engine of one machine in a thread of another program: follows what it is told, and says how it is."""

import asyncio
import contextlib
import logging
import os
import threading
import time
from typing import NamedTuple

import msgspec

from streamer import __version__
from streamer.backoff import Backoff
from streamer.cluster.state import ShardState
from streamer.config import Config
from streamer.engine.daemon import Daemon
from streamer.engine.heartbeat import state_of
from streamer.engine.launch import Launch, shares, with_stations
from streamer.engine.notify import Notifier
from streamer.engine.wire import Failure, as_error
from streamer.errors import GenrecastError
from streamer.publish.messages import Heartbeat

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 30.0  # from one start to the next, where an engine can't begin
STARTING_S = 0.2  # an engine that is starting is asked again to follow
REMOVED_S = 2.0  # for the stations of an engine that is left with none to say so
END_S = 5.0  # for an engine to end in order
ANSWER_S = 5.0  # a loop that doesn't come round by then hangs


class Told(NamedTuple):
    """What to follow: a revision of the desired state, the make of the engine, and its configuration."""

    revision: int
    make: str
    config: Config


class Host:
    """Runs an engine as long as it has stations.

    Args:
        node: id of the node that it is on.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._told = self._following = Told(0, "", Config())
        self._daemon: Daemon | None = None
        self._failure: str | None = None
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def follow(self, revision: int, make: str, config: Config) -> None:
        """Have it listen to these stations; an older revision than it knows is nothing."""
        if revision >= self._told.revision and not self._closing:
            self._told = Told(revision, make, config)
            self._loop.call_soon_threadsafe(self._changed.set)

    def stop(self, *, removed: bool = False) -> None:
        """Have every station tell its end, and wait for it; there is no way back.

        Args:
            removed: they are elsewhere, or nowhere any more: not merely asked to end.
        """
        self._closing = True
        if removed:
            self._told = self._told._replace(config=with_stations(self._told.config, ()))
        with contextlib.suppress(RuntimeError):  # it is over already
            self._loop.call_soon_threadsafe(self._changed.set)
        self._thread.join(END_S)

    def state(self) -> ShardState:
        """Give how it is.

        Raises:
            TimeoutError: the engine's loop doesn't come round.
        """
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has ended meanwhile
                return asyncio.run_coroutine_threadsafe(self._state(), self._loop).result(ANSWER_S)
        return ShardState(node=self._node, pid=os.getpid(), ended=True, version=__version__)

    async def _state(self) -> ShardState:
        revision, make, config = self._following
        bus = None if self._daemon is None else self._daemon.bus
        stations = tuple(station.id for station in config.station)
        unheard = [id for id in stations if bus is None or state_of(bus, id) == "no-signal"]
        beat = None if bus is None else bus.last("heartbeat", "-")
        heartbeat = None if beat is None else msgspec.json.decode(beat, type=Heartbeat)
        return ShardState(
            node=self._node,
            pid=os.getpid(),
            revision=revision,
            make=make,
            stations=stations,
            unheard=tuple(unheard),
            deaf={} if bus is None else bus.deaf,
            failure=None if heartbeat else self._failure,
            engine_s=heartbeat.uptime if heartbeat else 0.0,
            cpu=heartbeat.cpu if heartbeat else 0.0,
            rss_mb=heartbeat.rss_mb if heartbeat else 0.0,
            windows=heartbeat.windows if heartbeat else 0,
            dropped=heartbeat.dropped if heartbeat else 0,
            version=__version__,
        )

    def _live(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._run())

    async def _run(self) -> None:
        backoff = Backoff(LONGEST_WAIT_S)
        while not self._closing:
            began = time.monotonic()
            try:
                await self._serve()
                self._failure = None
                continue
            except GenrecastError as error:
                self._failure = f"{error.message} ({error.code}); {error.remedy}"
            except Exception as error:
                log.exception("the engine met what was not foreseen")
                self._failure = f"{type(error).__name__}: {error}"
            log.error("the engine can't run: %s", self._failure)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), backoff.failed(time.monotonic() - began))

    async def _serve(self) -> None:
        """Run one engine, until it is over or another one is to be made."""
        self._changed.clear()
        told = self._following = self._told
        if not told.config.station:
            await self._changed.wait()
            return
        asked = asyncio.Event()
        launches = [(share, Launch(share)) for share in shares(told.config)]
        daemon = Daemon(told.config, launches, notifier=Notifier(), read=lambda: self._told.config)
        run = asyncio.create_task(daemon.run(asked))
        self._daemon = daemon
        try:
            await self._attend(daemon, run, told.make)
        finally:
            asked.set()
            try:
                ends = await run
            finally:
                self._daemon = None
        if ends:
            raise as_error(ends[0])
        if self._told == told and not self._closing:  # all have come to their own end
            await self._changed.wait()

    async def _attend(self, daemon: Daemon, run: "asyncio.Task[list[Failure]]", make: str) -> None:
        """Have an engine follow what is told, as far as it can while it runs."""
        while not (run.done() or self._closing):
            change = asyncio.create_task(self._changed.wait())
            await asyncio.wait((run, change), return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
            if not self._changed.is_set():
                return
            self._changed.clear()
            told = self._told
            if told.config.station and (told.make != make or self._closing):
                return
            while not run.done() and (await daemon.reload()).error is not None:
                if self._closing:
                    return
                await asyncio.sleep(STARTING_S)  # it is starting: it tells only those who ask
            self._following = told
            if not told.config.station:
                await asyncio.wait((run,), timeout=REMOVED_S)
                return
