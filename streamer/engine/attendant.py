"""The daemon's side of the attendants: started where the configuration asks, watched, started again.

Nothing that becomes of one reaches the tagging: it is told in the heartbeat and in the log.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Callable

import msgspec

from streamer.attend import ROOMS, Order, Saying
from streamer.backoff import Backoff
from streamer.config import Config
from streamer.engine.watch import hang
from streamer.errors import AttendantError
from streamer.publish.messages import Attending, AttendingState

log = logging.getLogger(__name__)

HANG_S = 15.0  # without a sign of life: what a slow disk takes to write is no hang
LONGEST_WAIT_S = 60.0  # from one start to the next, where it keeps dying
END_S = 0.5  # asked to end, it may write what it has


class Attendant:
    """One attendant for as long as it is run, through however many processes.

    Args:
        name: which one.
        order: what each process is told.
        changed: is called when `told` is another.
    """

    def __init__(self, name: str, order: Order, changed: Callable[[], None]) -> None:
        self.told = Attending(state="running", code=None, detail="")
        self._name, self._order = name, msgspec.json.encode(order) + b"\n"
        self._changed = changed
        self._lines = 0

    async def run(self) -> None:
        """Keep it at work until cancelled, which ends it."""
        backoff = Backoff(LONGEST_WAIT_S)
        while True:
            began = time.monotonic()
            try:
                why = await self._serve()
            except OSError as error:
                why = Saying(AttendantError.code, f"it can't be started: {error.strerror}")
            self._tell("restarting", why.code, why.detail)
            await asyncio.sleep(backoff.failed(time.monotonic() - began))

    async def _serve(self) -> Saying:
        """Listen to a process until it has gone; give what became of it."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "streamer.attend", self._name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the daemon, which ends the others
        )
        assert process.stdin is not None
        assert process.stdout is not None
        watch = asyncio.create_task(self._watch(process))
        last: Saying | None = None
        try:
            process.stdin.write(self._order)
            async for line in process.stdout:
                last = self._hear(line) or last
            status = await process.wait()
        finally:
            watch.cancel()
            await asyncio.shield(_end(process))
        if watch.done() and not watch.cancelled():
            return Saying(AttendantError.code, f"it hung for {HANG_S:g} s")
        if last is not None and last.code is not None:
            return last
        what = f"died of signal {-status}" if status < 0 else f"ended with status {status}"
        return Saying(AttendantError.code, f"it {what}")

    def _hear(self, line: bytes) -> Saying | None:
        self._lines += 1
        try:
            said = msgspec.json.decode(line, type=Saying) if line.strip() else None
        except msgspec.MsgspecError:
            return None
        if said is not None:
            self._tell("running" if said.code is None else "trouble", said.code, said.detail)
        elif self.told.state == "restarting":
            self._tell("running", None, "")
        return said

    def _tell(self, state: AttendingState, code: str | None, detail: str) -> None:
        before, self.told = self.told, Attending(state=state, code=code, detail=detail)
        if self.told == before:
            return
        level = logging.INFO if code is None else logging.WARNING
        log.log(level, "%s: %s%s", self._name, state, f": {detail} ({code or 'ok'})" if detail else "")
        self._changed()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        await hang(lambda: self._lines, HANG_S, HANG_S)
        process.kill()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, and make it."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), END_S)
        except TimeoutError:
            process.kill()
            await process.wait()


class Attendants:
    """All that the configuration asks for.

    Args:
        endpoint: where the daemon publishes.
        changed: is called when one of them is otherwise than before.
    """

    def __init__(self, endpoint: str, changed: Callable[[], None]) -> None:
        self._endpoint, self._changed = endpoint, changed
        self._running: dict[str, tuple[object, Attendant, asyncio.Task[None]]] = {}

    def told(self) -> dict[str, Attending]:
        """Give how each of them is."""
        return {name: attendant.told for name, (_, attendant, _) in self._running.items()}

    async def follow(self, config: Config) -> None:
        """Have those run that are asked for; one goes on undisturbed where its section is as it was."""
        wanted = wanted_attendants(config)
        leaving = [name for name, (section, *_) in self._running.items() if wanted.get(name) != section]
        await self._end(leaving)
        for name in wanted.keys() - self._running.keys():
            order = Order(self._endpoint, config, logging.getLogger().getEffectiveLevel())
            attendant = Attendant(name, order, self._changed)
            self._running[name] = wanted[name], attendant, asyncio.create_task(attendant.run())

    async def end(self) -> None:
        """End all of them."""
        await self._end(list(self._running))

    async def _end(self, names: list[str]) -> None:
        tasks = [self._running.pop(name)[2] for name in names]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def wanted_attendants(config: Config) -> dict[str, object]:
    """Give the sections of the attendants that a configuration asks for, by name."""
    sections = {name: getattr(config, name, None) for name in ROOMS}
    return {name: section for name, section in sections.items() if section is not None and section.enabled}
