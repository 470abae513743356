"""The one who writes: a subscriber that keeps what it hears, whatever happens to the database.

Messages are folded into rows in memory, and what has changed is committed four times a second.
Where that can't be, it is said, the rows wait, and it is tried again.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from streamer.attend import Say
from streamer.config import Config
from streamer.errors import GenrecastError, HistoryBrokenError
from streamer.history.backlog import Backlog
from streamer.history.place import kept_at, nameable
from streamer.history.retain import retain
from streamer.history.segments import Fold, Message
from streamer.history.sqlite import move_aside
from streamer.history.store import Store
from streamer.publish.keys import own_keys
from streamer.publish.subscribe import Subscriber
from streamer.sections import HistoryConfig

TOPICS = ("genre/", "track/")
FLUSH_S = 0.25  # so that kill -9 takes less than a second with it, also on a busy machine
RETRY_S = 2.0
LOOK_S = 60.0  # between two looks at what is to go
ASIDE_S = 3600.0  # between two broken files that are moved aside: a dying disk must not be filled with them


def attend(config: Config, endpoint: str, say: Say) -> None:
    """Keep the history of all that is published, until SIGTERM.

    Args:
        config: what `[history]` says; the defaults where it isn't there.
        endpoint: where the daemon publishes.
        say: takes trouble and its end.
    """
    subscriber = Subscriber(endpoint, TOPICS, keys=own_keys(config.security), who="[history]")
    try:
        keeper = Keeper(config.history or HistoryConfig(), say, lost=lambda: subscriber.lost)
        keeper.run(subscriber.messages())
    finally:
        subscriber.close()


class Keeper:
    """Writes what it is given into a history.

    Args:
        history: where, and how much of it.
        say: takes trouble and its end.
        lost: gives how many messages were lost on the way so far.
    """

    def __init__(self, history: HistoryConfig, say: Say, lost: Callable[[], int] = lambda: 0) -> None:
        self._history, self._say, self._lost = history, say, lost
        self._url = kept_at(history)
        self._name = nameable(self._url)
        self._store: Store | None = None
        self._backlog = Backlog()
        self._fold = Fold(self._backlog)
        self._resumed = False
        self._said: str | None = ""  # nothing yet
        self._missing = 0
        self._flush_at = self._look_at = 0.0
        self._aside_at = -ASIDE_S

    def run(self, messages: Iterable[Message | None]) -> None:
        """Keep messages as they come; None is a moment without one. What is there at the end is written."""
        self.turn()
        try:
            for message in messages:
                if message is not None:
                    self._fold.take(message)
                self.turn()
        finally:
            self._finish()

    def turn(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        if now < self._flush_at:
            return
        try:
            store = self._opened()
            more = self._write(store)
            if now >= self._look_at:
                self._look(store, now)
        except GenrecastError as error:
            self._fail(error, now)
        else:
            self._flush_at = now if more else now + FLUSH_S
            if self._said is not None:
                self._tell(None, f"history is kept in {self._name}")

    def _opened(self) -> Store:
        if self._store is None:
            self._store = Store.open(self._url, write=True)
            if not self._resumed:
                self._fold.resume(self._store.open_segments())
                self._resumed = True
        return self._store

    def _write(self, store: Store) -> bool:
        """Write a slice of what waits; say whether more does."""
        if part := self._backlog.slice():
            store.write(part.segments, part.tracks, part.opened)
            self._backlog.done(part)
        return len(self._backlog) > 0

    def _look(self, store: Store, now: float) -> None:
        """Delete what is to go, and tell what has been missed."""
        keep_days, max_mb = self._history.keep_days, self._history.max_mb
        more = retain(store, keep_days=keep_days, max_mb=max_mb, now=time.time())
        self._look_at = now if more else now + LOOK_S
        missing = self._backlog.dropped + self._lost()
        if missing > self._missing:
            self._tell(None, f"history is kept, but {missing - self._missing} messages or rows were lost")
        self._missing = missing

    def _fail(self, error: GenrecastError, now: float) -> None:
        self._flush_at = now + RETRY_S
        self._let_go()
        if isinstance(error, HistoryBrokenError) and now >= self._aside_at + ASIDE_S:
            self._aside_at = self._flush_at = now
            try:
                aside = move_aside(Path(self._url), f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}")
            except GenrecastError as failed:
                error = failed
            else:
                self._tell(error.code, f"{error.message}: moved aside as {aside.name}, a new one is begun")
                return
        self._tell(error.code, f"{error.message}; {error.remedy}")

    def _finish(self) -> None:
        """Write what is left, where there is a database to write it to."""
        if self._store is None:
            return
        try:
            while self._write(self._store):
                pass
        except GenrecastError as error:
            self._fail(error, time.monotonic())
        self._let_go()

    def _let_go(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _tell(self, code: str | None, detail: str) -> None:
        if code is None or code != self._said:
            self._say(code, detail)
        self._said = code
