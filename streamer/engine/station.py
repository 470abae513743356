"""One station's life: connecting, listening, losing, trying again, until it is asked to stop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from streamer.backoff import Backoff
from streamer.engine.listener import Listener
from streamer.engine.watch import Watch
from streamer.errors import SourceEndedError, SourceError, SourceFaultError, SourceStalledError
from streamer.flow import Block, Format, SourceEvent, State, Title
from streamer.publish.reporter import Reporter
from streamer.source.base import Source

log = logging.getLogger(__name__)

Life: TypeAlias = Literal["new", "connecting", "connected", "lost", "retrying", "stopped"]

MOVES: dict[Life, frozenset[Life]] = {
    "new": frozenset({"connecting", "stopped"}),
    "connecting": frozenset({"connected", "lost", "stopped"}),
    "connected": frozenset({"lost", "stopped"}),
    "lost": frozenset({"retrying", "connected", "stopped"}),  # connected: a pipe that speaks again
    "retrying": frozenset({"connecting", "stopped"}),
    "stopped": frozenset(),
}
"""Every state of a station's source and where it may go from there."""

# What it takes to let go of a source: one that can't may not hold up its own next attempt.
CLOSE_S = 5.0
SOON_S = 1e-3  # of audio: whatever comes next


class Farewell(NamedTuple):
    """Why a station is asked to end: a stable code, one sentence."""

    reason: str
    detail: str


class Station:
    """Listens to one source for as long as it is run.

    Args:
        id: names it in topics.
        open_source: makes a new source for each attempt; raises SourceError.
        new_listener: makes what hears it, likewise for each attempt; is told the hop.
        reporter: tells the bus; the listeners' too.
        hop_s: seconds from one window to the next, and from one telling of the state to the next
            where nothing is heard.
        early_s: of audio, before a window is due: a look then, so that the next one is just in time.
        now: gives seconds since the epoch.

    Attributes:
        farewell: what is told of its end where it is cancelled; None where others tell of it.
    """

    def __init__(
        self,
        id: str,
        *,
        open_source: Callable[[], Source],
        new_listener: Callable[..., Listener],
        reporter: Reporter,
        hop_s: float,
        early_s: float = 0.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.id = id
        self.life: Life = "new"
        self.farewell: Farewell | None = Farewell("asked", "the daemon was asked to end")
        self._open_source = open_source
        self._asked_hop_s = self._hop_s = hop_s
        self._early_s = early_s
        self._reporter = reporter
        self._now = now
        self._new_listener = new_listener
        self._listener = new_listener(hop_s=hop_s)
        self._source: Source | None = None
        self._connected_at: float | None = None

    @property
    def state(self) -> State:
        """What was last said of it."""
        return self._reporter.state

    def stretch(self, factor: float) -> None:
        """Make the hop so many times longer than it was asked for."""
        self._hop_s = self._asked_hop_s * factor
        wanted_s = self._listener.stretch(self._hop_s)
        if self._source is None:
            return
        if wanted_s:
            self._source.skip(-wanted_s)
        before_s, self._source.wanted_s = self._source.wanted_s, self._wanted_s()
        if self._source.wanted_s < before_s:
            self._source.hurry()

    async def run(self) -> SourceError | None:
        """Listen until cancelled, or until a source that may end has ended.

        Returns:
            what ended it where trying again can't help; None for a clean end.
        """
        pulse = asyncio.create_task(self._pulse())
        backoff: Backoff | None = None
        try:
            while True:
                error = await self._attempt()
                source = self._source
                if error is None:
                    self._listener.interrupt()
                    self._move("stopped", reason="source-ended", detail="the source has come to its end")
                    return None
                self._lose(error)
                if error.final if source is None else not source.live:
                    self._move("stopped", reason=error.code, detail=error.message)
                    return error
                await self._close()
                backoff = backoff or Backoff(source.retry_cap_s if source else Source.retry_cap_s)
                wait_s = backoff.failed(self._healthy_s())
                self._move("retrying", reason=error.code, detail=error.message, retry_in_s=wait_s)
                await asyncio.sleep(wait_s)
        except asyncio.CancelledError:
            if self.life != "stopped":
                self._listener.interrupt()
            if self.life != "stopped" and self.farewell is not None:
                self._move("stopped", reason=self.farewell.reason, detail=self.farewell.detail)
            raise
        finally:
            pulse.cancel()
            await self._close()

    async def _attempt(self) -> SourceError | None:
        """Listen once; give what ended it before its end. Whatever that is, the station lives."""
        self._listener = self._new_listener(hop_s=self._hop_s)
        self._connected_at = None
        self._move("connecting")
        try:
            self._source = self._open_source()
            await self._listen(self._source)
        except SourceError as error:
            return error
        except Exception as error:
            log.debug("%s: unforeseen", self.id, exc_info=True)
            said = f"a fault of genrecast's own: {type(error).__name__}: {error}"
            return SourceFaultError(said, remedy="please report it")
        return None

    async def _listen(self, source: Source) -> None:
        """Take all that the source gives until it ends."""
        stalled = SourceStalledError("no audio comes any more", remedy="look at what feeds it")
        # What gives nothing is given up where it can be opened again; a pipe is waited for.
        try:
            async with asyncio.timeout(None) as limit, contextlib.aclosing(source.events()) as events:
                expired = partial(limit.reschedule, 0) if source.live else partial(self._stall, stalled)
                with Watch(lambda: source.stall_s, expired) as watch:
                    async for event in events:
                        watch.kick()
                        await self._take(event, source)
                        del event  # a second of samples, which would be kept until the next one comes
        except TimeoutError:
            raise stalled from None
        if source.live:
            raise SourceEndedError("the source has ended", remedy="it is tried again")
        await self._listener.flush()

    async def _take(self, event: SourceEvent, source: Source) -> None:
        match event:
            case Block():
                if self.life == "lost":
                    self._move("connected", detail="it gives audio again")
                await self._listener.hear(event)
                self._advise(source)
            case Title():
                self._listener.retitle(event.text)
            case Format():
                if self.life == "connecting":
                    self._connected_at = time.monotonic()
                    self._move("connected", format=event)
                else:
                    self._reporter.status("format", now=self._now(), format=event)

    def _advise(self, source: Source) -> None:
        """Tell the source what it need not hurry with, and what it need not decode at all."""
        source.wanted_s = self._wanted_s()
        if source.live and (skip_s := self._listener.skips()):
            source.skip(skip_s)

    def _wanted_s(self) -> float:
        """Give the seconds of audio after which a look is worth it."""
        return max(self._listener.due_s - self._early_s, SOON_S)

    def _healthy_s(self) -> float:
        """Give the seconds for which the last attempt had a connection."""
        return 0.0 if self._connected_at is None else time.monotonic() - self._connected_at

    def _stall(self, stalled: SourceStalledError) -> None:
        """A pipe can't be opened again: that it gives nothing is said once, and it is waited for."""
        if self.life == "connected":
            self._lose(stalled)

    def _lose(self, error: SourceError) -> None:
        """Say that the source is gone; a pipe that had stalled before it broke is lost already."""
        if self.life != "lost":
            self._listener.interrupt()
            self._move("lost", reason=error.code, detail=error.message)

    async def _pulse(self) -> None:
        """Tell the complete state every hop where no window does: while connecting, lost or retrying."""
        while True:
            if self.state == "no-signal":
                self._listener.tell_no_signal()
            await asyncio.sleep(self._hop_s)

    async def _close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            try:
                async with asyncio.timeout(CLOSE_S):
                    await source.close()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt must come
                log.warning(
                    "%s: did not close cleanly: %s: %s",
                    *(self.id, type(error).__name__, error),
                    extra={"station": self.id, "event": "close"},
                )

    def _move(
        self,
        to: Life,
        *,
        reason: str = "ok",
        detail: str = "",
        retry_in_s: float | None = None,
        format: Format | None = None,
    ) -> None:
        """Go to another state of life, and tell it."""
        if to == "new" or to not in MOVES[self.life]:
            raise AssertionError(f"a station can't go from {self.life} to {to}")
        self.life = to
        self._log(to, reason, detail or ("" if retry_in_s is None else f"in {retry_in_s:.0f} s"))
        self._reporter.status(
            to, now=self._now(), reason=reason, detail=detail, retry_in_s=retry_in_s, format=format
        )

    def _log(self, event: Life, code: str, detail: str) -> None:
        failed = code not in ("ok", "asked")
        log.log(
            logging.WARNING if event == "lost" else logging.INFO,
            "%s: %s%s%s",
            *(self.id, event, detail and f": {detail}", f" ({code})" if failed else ""),
            extra={"station": self.id, "event": event, "code": code if failed else None},
        )
