"""Hears the bus for the page: keeps what is to be shown, and tells the browsers that look at it."""

import asyncio
import logging
import time
from typing import Any

from streamer.errors import GenrecastError
from streamer.page.past import Past
from streamer.page.state import Stations, event
from streamer.page.station import STRIP_S, track
from streamer.page.streams import Streams
from streamer.publish.subscribe import Subscriber

log = logging.getLogger(__name__)

TOPICS = ("genre/", "track/", "status/", "heartbeat/")
LOOK_S = 0.25  # from one look at the bus to the next: what has come since is worked off together
SEND_EVERY = 4  # looks, after which all are told how things are


class Hearing:
    """What is known, and who is told.

    Args:
        subscriber: to `TOPICS`.
        past: what was kept before.
    """

    def __init__(self, subscriber: Subscriber, past: Past) -> None:
        self.stations, self.streams = Stations(), Streams()
        self.past = past
        self._subscriber = subscriber
        self._watched: set[str] = set()

    async def run(self) -> None:
        """Hear and tell until cancelled."""
        remembering = asyncio.create_task(self._remember())
        looks = 0
        while True:
            self._look(time.time(), tell_all=looks % SEND_EVERY == 0)
            if remembering.done():
                remembering.result()
            looks += 1
            await asyncio.sleep(LOOK_S)

    def _look(self, now: float, *, tell_all: bool) -> None:
        watched = self.streams.watched
        self._demand(watched)
        messages = self._subscriber.drain()
        self.stations.take(messages, now)
        for message in messages:
            if message["station"] in watched:
                self._tell_watchers(message)
        if tell_all:
            self.streams.send(None, event("some", self.stations.changes(now)))
            for id in watched & self.stations.all.keys():
                self.streams.send(id, event("some", self.stations.one(id, now)))

    def _tell_watchers(self, message: dict[str, Any]) -> None:
        id = message["station"]
        match message["kind"]:
            case "mel":
                self.streams.send(id, event("mel", message))
            case "track":
                self.streams.send(id, event("track", track(message)))

    def _demand(self, watched: set[str]) -> None:
        """Have the spectrograms made that somebody looks at."""
        for id in watched - self._watched:
            self._subscriber.want(f"mel/{id}/")
        for id in self._watched - watched:
            self._subscriber.leave(f"mel/{id}/")
        self._watched = watched

    async def _remember(self) -> None:
        """Take the last hour from the history; the page is there without it too."""
        try:
            strips = await asyncio.to_thread(self.past.strips, time.time() - STRIP_S)
        except GenrecastError as error:
            log.warning("the last hour is not shown: %s", error.message)
        else:
            self.stations.remember(strips)
