"""A keeper as a process of its own, and a bus that it listens to."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamer.publish.bus import Bus
from streamer.publish.messages import topic

ROOT = Path(__file__).parents[2]

KEEPER = """
import json, signal, sys
from streamer.config import Config
from streamer.sections import HistoryConfig
from streamer.history.keeper import attend

def end(*_):
    raise SystemExit

signal.signal(signal.SIGTERM, end)
history = HistoryConfig(**{"url" if "://" in sys.argv[2] else "path": sys.argv[2]})
attend(Config(history=history), sys.argv[1], lambda *said: print(json.dumps(said), flush=True))
"""


class Air:
    """A real bus on a loop of its own."""

    def __init__(self, bus: Bus, loop: asyncio.AbstractEventLoop) -> None:
        self.endpoint = bus.endpoint
        self._bus, self._loop = bus, loop

    def say(self, message: dict[str, Any]) -> None:
        """Publish a message; it has left when this returns."""
        named = (topic(message["kind"], message["station"]), json.dumps(message).encode())
        asyncio.run_coroutine_threadsafe(self._publish(named), self._loop).result(10)

    async def _publish(self, named: tuple[bytes, bytes]) -> None:
        self._bus.publish([named])


@contextmanager
def on_air() -> Iterator[Air]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def begin() -> Bus:
        bus = Bus("tcp://127.0.0.1:*")
        bus.start()
        return bus

    async def end() -> None:
        bus.close()

    bus = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield Air(bus, loop)
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def keeper(endpoint: str, url: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a keeper; it has opened its history when this gives it."""
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER, endpoint, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())[0] is None
        yield process
    finally:
        process.kill()
        process.communicate()
