"""The stations that a worker listens to: some come and some go, while the others go on."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from streamer.config import StationConfig
from streamer.engine.blame import Blame
from streamer.engine.station import Farewell, Station
from streamer.errors import SourceError
from streamer.publish.reporter import Memory

START_S = 0.005  # from one station's start to the next one's: the bursts at connect are seconds of decoding
CHANGED = Farewell("changed", "its lines in the configuration are others now")


class Roster:
    """Stations at work, each in a task of its own.

    Args:
        new_station: makes one that goes on from what was told before.
        ended: is told of a station's end: id, number, what ended it where that was neither itself nor we.
        blame: notes who is at work, by number.
        memories: what was told of stations before, by id.
    """

    def __init__(
        self,
        new_station: Callable[[StationConfig, Memory], Station],
        ended: Callable[[str, int, SourceError | None], None],
        blame: Blame,
        memories: dict[str, Memory],
    ) -> None:
        self.memories = memories
        self._new_station, self._ended, self._blame = new_station, ended, blame
        self._entries: dict[str, _Entry] = {}
        self._tasks: defaultdict[str, set[_Task]] = defaultdict(set)  # with those that are still ending
        self._numbers = 0
        self._factor = 1.0

    @property
    def count(self) -> int:
        """How many stations there are."""
        return len(self._entries)

    def alter(self, drop: Sequence[str], add: Sequence[StationConfig]) -> None:
        """Let stations go and come; one that does both goes on with its new lines when it has let go."""
        coming = {config.id for config in add}
        for id in drop:
            if (entry := self._entries.pop(id, None)) is not None:
                entry.leave(CHANGED if id in coming else None)
        for order, config in enumerate(add):
            entry = self._entries[config.id] = _Entry(config, self._numbers)
            self._numbers += 1
            before = tuple(self._tasks[config.id])
            entry.task = asyncio.create_task(self._live(entry, order * START_S, before))
            self._tasks[config.id].add(entry.task)
            entry.task.add_done_callback(partial(self._done, entry))

    def stretch(self, factor: float) -> None:
        """Make all hops so many times longer than they were asked for, also of those that come."""
        self._factor = factor
        for entry in self._entries.values():
            if entry.station is not None:
                entry.station.stretch(factor)

    async def over(self) -> None:
        """Wait until no station is left."""
        while tasks := [task for own in self._tasks.values() for task in own]:
            await asyncio.wait(tasks)

    async def end(self) -> None:
        """Have all of them tell their end."""
        for entry in self._entries.values():
            entry.task.cancel()
        await self.over()

    async def _live(self, entry: "_Entry", wait_s: float, before: tuple["_Task", ...]) -> SourceError | None:
        await asyncio.sleep(wait_s)
        if before:
            await asyncio.wait(before)
        memory = self.memories.setdefault(entry.config.id, Memory())
        entry.station = self._new_station(entry.config, memory)
        entry.station.stretch(self._factor)
        return await self._blame.marked(entry.station.run(), entry.number)

    def _done(self, entry: "_Entry", task: "_Task") -> None:
        id = entry.config.id
        self._tasks[id].discard(task)
        if self._entries.get(id) is entry:
            del self._entries[id]
        self._ended(id, entry.number, None if task.cancelled() else task.result())


_Task = asyncio.Task[SourceError | None]


class _Entry:
    """A station with the lines that it had once, and its number among all that there were."""

    def __init__(self, config: StationConfig, number: int) -> None:
        self.config, self.number = config, number
        self.station: Station | None = None  # made when those before it have let go
        self.task: _Task

    def leave(self, farewell: Farewell | None) -> None:
        """Ask it to end."""
        if self.station is not None:
            self.station.farewell = farewell
        self.task.cancel()
