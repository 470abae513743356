"""The engine of one machine in a thread of another program: follows what it is told, and says how it is."""

import asyncio
import contextlib
import logging
import os
import threading
import time

import msgspec

from streamer import __version__
from streamer.backoff import Backoff
from streamer.cluster.state import ShardState
from streamer.config import Config
from streamer.engine.daemon import Daemon
from streamer.engine.heartbeat import state_of
from streamer.engine.launch import Launch, shares
from streamer.engine.notify import Notifier
from streamer.engine.wire import Failure, as_error
from streamer.errors import GenrecastError
from streamer.publish.messages import Heartbeat

log = logging.getLogger(__name__)

LONGEST_WAIT_S = 30.0  # from one start to the next, where an engine can't begin
STARTING_S = 0.2  # an engine that is starting is asked again to follow
END_S = 5.0  # for an engine to end in order


class Host:
    """Runs an engine as long as it has stations.

    Args:
        node: id of the node that it is on.
    """

    def __init__(self, node: str) -> None:
        self._node = node
        self._told: tuple[int, str, Config] | None = None  # revision, make, and what to listen to
        self._following: tuple[int, str, tuple[str, ...]] = (
            0,
            "",
            (),
        )  # revision, make and stations of what is followed
        self._daemon: Daemon | None = None
        self._failure: str | None = None
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def follow(self, revision: int, make: str, config: Config) -> None:
        """Have it listen to these stations; an older revision than it knows is nothing."""
        if self._told is None or revision >= self._told[0]:
            self._told = revision, make, config
            self._loop.call_soon_threadsafe(self._changed.set)

    def stop(self) -> None:
        """Have every station tell its end, and wait for it."""
        self._closing = True
        with contextlib.suppress(RuntimeError):  # it is over already
            self._loop.call_soon_threadsafe(self._changed.set)
        self._thread.join(END_S)

    def state(self) -> ShardState:
        """Give how it is."""
        revision, make, stations = self._following
        daemon = self._daemon
        unheard = [id for id in stations if daemon is None or state_of(daemon.bus, id) == "no-signal"]
        beat = None if daemon is None else daemon.bus.last("heartbeat", "-")
        heartbeat = None if beat is None else msgspec.json.decode(beat, type=Heartbeat)
        return ShardState(
            node=self._node,
            pid=os.getpid(),
            revision=revision,
            make=make,
            stations=stations,
            unheard=tuple(unheard),
            failure=self._failure,
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
            except GenrecastError as error:
                self._fail(f"{error.message} ({error.code}); {error.remedy}")
            except Exception as error:
                log.exception("the engine met what was not foreseen")
                self._fail(f"{type(error).__name__}: {error}")
            if self._failure is not None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), backoff.failed(time.monotonic() - began))

    def _fail(self, why: str) -> None:
        log.error("the engine can't run: %s", why)
        self._failure = why

    async def _serve(self) -> None:
        """Run one engine, until it is over or others are to be made."""
        while self._told is None or not self._told[2].station:
            await self._changed.wait()
            self._changed.clear()
            self._note()
            if self._closing:
                return
        self._note()
        _, make, config = self._told
        asked = asyncio.Event()
        launches = [(share, Launch(share)) for share in shares(config)]
        daemon = Daemon(config, launches, notifier=Notifier(), read=self._read)
        run = asyncio.create_task(daemon.run(asked))
        self._daemon = daemon
        try:
            await self._attend(daemon, run, make)
        finally:
            asked.set()
            try:
                ends = await run
            finally:
                self._daemon = None
        if ends:
            raise as_error(ends[0])
        while not self._changed.is_set() and not self._closing:  # all have come to their own end
            await self._changed.wait()

    async def _attend(self, daemon: Daemon, run: "asyncio.Task[list[Failure]]", make: str) -> None:
        """Have an engine follow what is told, as far as it can while it runs."""
        while True:
            change = asyncio.create_task(self._changed.wait())
            await asyncio.wait((run, change), return_when=asyncio.FIRST_COMPLETED)
            change.cancel()
            if run.done() or self._closing:
                return
            self._changed.clear()
            assert self._told is not None
            if self._told[1] != make or not self._told[2].station:
                self._changed.set()  # for whoever comes next
                return
            while (await daemon.reload()).error is not None and not run.done():  # noqa: ASYNC110
                await asyncio.sleep(STARTING_S)  # it is starting: it tells only those who ask
            self._failure = None
            self._note()

    def _read(self) -> Config:
        assert self._told is not None
        return self._told[2]

    def _note(self) -> None:
        if self._told is not None:
            revision, make, config = self._told
            self._following = revision, make, tuple(station.id for station in config.station)
