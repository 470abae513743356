"""A bus as a daemon has it, on a loop of its own in another thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from streamer.publish.bus import Bus
from streamer.publish.keys import ClientKeys


class OnLoop:
    """The bus, and the way to its loop."""

    def __init__(
        self,
        gateways: Sequence[str],
        demanded: Callable[[frozenset[str]], None],
        keys: ClientKeys | None,
    ) -> None:
        self._gateways, self._demanded, self._keys = gateways, demanded, keys
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)))
        self._thread.start()
        ready.wait()

    async def _main(self, ready: threading.Event) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self.bus = Bus("tcp://127.0.0.1:*", gateways=self._gateways, gateway_keys=self._keys)
        self.bus.start(self._demanded)
        ready.set()
        await self._stop.wait()
        self.bus.close()

    def act(self, what: Callable[[Bus], None]) -> None:
        """Do something on the loop; wait until it is done."""

        async def call() -> None:
            what(self.bus)

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(30)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@contextmanager
def sending(
    *gateways: str,
    demanded: Callable[[frozenset[str]], None] = lambda _: None,
    keys: ClientKeys | None = None,
) -> Iterator[OnLoop]:
    """Run a bus as long as the context lasts."""
    on_loop = OnLoop(gateways, demanded, keys)
    try:
        yield on_loop
    finally:
        on_loop.close()
