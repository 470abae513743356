"""The gateway: daemons on one side, subscribers and attendants on the other, nothing kept on disk."""

import asyncio
import logging
import time

from streamer.config import Config
from streamer.engine.attendant import Attendants
from streamer.engine.heartbeat import in_words, until_due
from streamer.engine.notify import Notifier
from streamer.gateway.hearts import Hearts
from streamer.gateway.inlet import Inlet
from streamer.gateway.own import Own
from streamer.gateway.voices import MOST_STATIONS, Voices
from streamer.publish.bus import Bus
from streamer.publish.keys import server_keys
from streamer.publish.messages import UNREADABLE, new_boot, topic
from streamer.publish.subscribe import WAITING
from streamer.sections import GatewayConfig

log = logging.getLogger(__name__)

LOOK_S = 1.0  # from one look at who is silent to the next
_HEARTBEAT = topic("heartbeat", "-")


class Gateway:
    """Passes on what daemons publish, as if it were one daemon, until it is asked to stop.

    Args:
        config: checked; its stations are others' business.
        notifier: to the service manager.

    Raises:
        PublishError: an endpoint can't be bound.
        KeysError: a file with keys can't be used.
    """

    def __init__(self, config: Config, *, notifier: Notifier) -> None:
        boot = new_boot()
        self._config, self._notifier = config, notifier
        self._bus = Bus(
            config.bind,
            open_to_network=config.open_to_network,
            keys=server_keys(config.security),
            waiting=WAITING,
        )
        try:
            self._inlet = Inlet(config.gateway or GatewayConfig(), open_to_network=config.open_to_network)
        except BaseException:
            self._bus.close()
            raise
        self._voices = Voices(Own(boot))
        self._hearts = Hearts(boot, time.monotonic())
        self._foreign = 0  # messages that were none of ours
        self._news = asyncio.Event()  # something that can't wait for the next heartbeat
        self._attendants = Attendants(self._bus.endpoint, self._news.set)

    async def run(self, asked: asyncio.Event) -> None:
        """Run until `asked` is set."""
        self._bus.start(self._inlet.demand)
        self._inlet.start(self._hear)
        await self._attendants.follow(self._config)
        log.info("ready: daemons at %s, subscribers at %s", self._inlet.endpoint, self._bus.endpoint)
        self._notifier.ready()
        others = [asyncio.create_task(self._beat()), asyncio.create_task(self._look())]
        stop = asyncio.create_task(asked.wait())
        try:
            await asyncio.wait((*others, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._notifier.stopping()
            for task in (*others, stop):
                task.cancel()
            await self._attendants.end()
            self._inlet.close()
            self._bus.close()
        for task in others:
            if task.done() and not task.cancelled():
                task.result()  # raises what went wrong in it

    def _hear(self, messages: list[tuple[bytes, bytes]]) -> None:
        now = time.monotonic()
        beats = [payload for name, payload in messages if name == _HEARTBEAT]
        if beats:
            messages = [message for message in messages if message[0] != _HEARTBEAT]
            self._hear_beats(beats, now)
        self._bus.publish(self._voices.take(messages, now))
        for station in self._voices.removed():
            self._bus.forget(station)

    def _hear_beats(self, beats: list[bytes], now: float) -> None:
        for payload in beats:
            try:
                if self._hearts.take(payload, now):
                    self._news.set()
            except UNREADABLE:
                self._foreign += 1

    async def _look(self) -> None:
        """Say which stations are silent; feed the watchdog."""
        before = time.monotonic()
        while True:
            await asyncio.sleep(LOOK_S)
            now = time.monotonic()
            if now - before < 2 * LOOK_S:  # else it was we who were silent: what waits is heard first
                self._bus.publish(self._voices.tick(now, time.time()))
            before = now
            self._notifier.alive()

    async def _beat(self) -> None:
        """Tell how all daemons are, regularly and when there is news of an attendant or a daemon."""
        while True:
            states = self._voices.states()
            self._bus.send(self._hearts.beat(states, self._attendants.told(), time.monotonic()))
            self._notifier.status(in_words(states))
            foreign, self._foreign, self._voices.foreign = self._foreign + self._voices.foreign, 0, 0
            if foreign:
                log.warning("%d message(s) came that are none of genrecast's", foreign)
            beyond, self._voices.beyond = self._voices.beyond, 0
            if beyond:
                log.warning("%d message(s) came of stations beyond the %d that fit", beyond, MOST_STATIONS)
            await until_due(self._news)
