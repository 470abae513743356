"""The daemon: workers that listen, one socket, attendants beside it, a heartbeat."""

import asyncio
import logging
import statistics
import time
from collections.abc import Callable
from typing import Any

from streamer.config import Config
from streamer.engine.attendant import Attendants
from streamer.engine.crew import Crew
from streamer.engine.heartbeat import Heart, in_words, until_due
from streamer.engine.launch import Launch
from streamer.engine.load import Load
from streamer.engine.member import Member
from streamer.engine.notify import Notifier
from streamer.engine.reload import Reloaded, answer, plan
from streamer.engine.stand_in import StandIn
from streamer.engine.wire import Ended, Failure, FromWorker, Pulse, Ready, Said, as_error, failure_of
from streamer.errors import ConfigError, ControlError, GenrecastError, WorkerError
from streamer.publish.bus import Bus
from streamer.publish.keys import gateway_keys, server_keys
from streamer.publish.messages import new_boot

log = logging.getLogger(__name__)

LOOK_S = 1.0  # from one look at the load to the next


class Daemon:
    """Runs the stations of a configuration until it is asked to stop or all of them have ended.

    Args:
        config: checked.
        launches: the workers' first processes, each with its share of the configuration.
        notifier: to the service manager.
        read: reads the configuration again, and raises a GenrecastError where it can't be used; None
            where it doesn't come from a file.

    Raises:
        PublishError: the endpoint can't be bound.
        KeysError: a file with keys can't be used.
    """

    def __init__(
        self,
        config: Config,
        launches: list[tuple[Config, Launch]],
        *,
        notifier: Notifier,
        read: Callable[[], Config] | None = None,
    ) -> None:
        self.boot = new_boot()
        self._config, self._launches = config, launches
        self._notifier, self._read = notifier, read
        try:
            self.bus = Bus(
                config.bind,
                open_to_network=config.open_to_network,
                keys=server_keys(config.security),
                gateways=config.gateways,
                gateway_keys=gateway_keys(config.security),
            )
        except BaseException:
            for _, launch in launches:
                launch.kill()
            raise
        self._stand_in = StandIn(self.bus, self.boot, config.hop)
        self._crew: Crew
        self._ready: Ready | None = None
        self._ends: list[Failure] = []
        self._lags_ms: list[float] = []
        self._load = Load(config.hop)
        self._news = asyncio.Event()  # something that can't wait for the next heartbeat
        self._heard = True  # a worker since the watchdog was last fed
        self._attendants = Attendants(self.bus.endpoint, self._news.set)
        self._reloading = asyncio.Lock()

    async def run(self, asked: asyncio.Event) -> list[Failure]:
        """Run until `asked` is set or no station is left.

        Returns:
            what made stations end for good, where none was asked to and it was not their own end.

        Raises:
            GenrecastError: a worker could not begin: no model, say.
        """
        self._crew = Crew(self._launches, self.boot, hear=self._hear, stand_in=self._stand_in)
        self.bus.start(self._crew.watch)
        over = asyncio.create_task(self._crew.over())
        stop = asyncio.create_task(asked.wait())
        others: list[asyncio.Task[None]] = []
        try:
            ready = asyncio.create_task(self._crew.ready())
            await _first(ready, over, stop)
            if ready.done():
                heart = self._begin(ready.result())
                await self._attendants.follow(self._config)
                others = [asyncio.create_task(self._beat(heart)), asyncio.create_task(self._look())]
                await _first(over, stop)
        finally:
            self._notifier.stopping()
            for task in (*others, ready, over, stop):
                task.cancel()
            await self._crew.end()
            await self._attendants.end()  # last, so that they hear of all others' end
            self.bus.close()
        if asked.is_set():
            return []
        over.result()  # raises what went wrong in it
        return self._ends

    async def reload(self) -> Reloaded:
        """Read the configuration again and follow it; where it can't be used, say why and go on as before."""
        async with self._reloading:
            if self._ready is None:
                return self._refuse(ControlError("the daemon is still starting", remedy="ask again"))
            self._notifier.reloading()
            try:
                return await self._follow()
            except GenrecastError as error:
                return self._refuse(error)
            finally:
                self._notifier.ready()

    async def _follow(self) -> Reloaded:
        if self._read is None:
            raise ConfigError(
                "the daemon was not started from a configuration file: there is nothing to read again",
                remedy="start it with 'genrecast run --config FILE'",
            )
        what = plan(self._config, self._read())
        self._config = what.config
        self.bus.follow(self._config.gateways)
        self._crew.follow(what)
        await self._attendants.follow(self._config)
        told = answer(what)
        for line in told.lines():
            log.info("reload: %s", line)
        return told

    def _refuse(self, error: GenrecastError) -> Reloaded:
        log.error("reload: %s (%s); all goes on as before", error.message, error.remedy)
        return Reloaded(error=failure_of(error))

    def _begin(self, answers: list[FromWorker | None]) -> Heart:
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
        self._crew.stretch(1.0)
        self._notifier.ready()
        return Heart(self.bus, self.boot, self._ready, self._crew)

    def _hear(self, member: Member, said: FromWorker) -> None:
        self._heard = True
        match said:
            case Said(messages):
                self.bus.publish(messages)
            case Pulse():
                member.pulse = said
                self._lags_ms += said.lags_ms
            case Failure():
                log.error("worker: %s (%s)", said.message, said.remedy)
            case Ended():
                member.ended(said)
                self._ends += [said.failure] if said.failure is not None else []

    async def _look(self) -> None:
        """Have all hops as long as the worst worker needs them; feed the watchdog while there is progress."""
        while True:
            await asyncio.sleep(LOOK_S)
            pulses = self._crew.pulses
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
            self._crew.stretch(factor)
            if self._heard or not self._crew.stations:  # with all of them left alone, nobody has to speak
                self._heard = False
                self._notifier.alive()

    async def _beat(self, heart: Heart) -> None:
        """Tell how the daemon itself is, regularly and when there is news of an attendant."""
        while True:
            lags_ms, self._lags_ms = self._lags_ms, []
            states = heart.states(self._config.station)
            self.bus.send(heart.beat(states, lags_ms, self._load.factor, self._attendants.told()))
            self._notifier.status(in_words(states))
            await until_due(self._news)


async def _first(*waits: asyncio.Future[Any]) -> None:
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
