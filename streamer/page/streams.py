"""Server-sent events: one stream a browser, and what is sent to all who watch the same."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable

MOST = 64  # streams at once; a browser closes its own while nobody looks at it
MOST_WAITING = 32  # events of one that reads too slowly, half a minute; then it ends, and begins anew


class Streams:
    """All streams. A station's name is what its page watches; None is the page of all stations."""

    def __init__(self) -> None:
        self._watching: defaultdict[str | None, set[asyncio.Queue[bytes | None]]] = defaultdict(set)

    @property
    def watched(self) -> set[str]:
        """The stations whose own page somebody looks at."""
        return {what for what, queues in self._watching.items() if queues and what is not None}

    def full(self) -> bool:
        """Say whether there is no room for another."""
        return sum(map(len, self._watching.values())) >= MOST

    def send(self, what: str | None, event: bytes) -> None:
        """Send to all who watch this; never blocks."""
        for queue in tuple(self._watching.get(what, ())):
            if queue.qsize() < MOST_WAITING:
                queue.put_nowait(event)
            else:
                self._watching[what].discard(queue)
                queue.put_nowait(None)

    def end(self) -> None:
        """End all streams."""
        for queues in self._watching.values():
            for queue in queues:
                queue.put_nowait(None)

    async def watch(self, what: str | None, first: Callable[[], bytes]) -> AsyncIterator[bytes]:
        """Give the first event, as it is when the stream begins, and then all that is sent."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._watching[what].add(queue)
        try:
            yield first()
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._watching[what].discard(queue)
