"""One station's life: connecting, listening, losing, trying again, until it is asked to stop."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias

from streamer.contract import Contract
from streamer.decide.decider import Decider
from streamer.engine.backoff import Backoff
from streamer.engine.clock import StationClock
from streamer.engine.scheduler import Scheduler
from streamer.engine.watch import Watch
from streamer.errors import GenrecastError, SourceEndedError, SourceError, SourceStalledError
from streamer.flow import Block, Format, SourceEvent, State, Title, TrackVerdict, Verdict, Window
from streamer.publish.reporter import Reporter
from streamer.signal.front_end import FrontEndStream
from streamer.source.base import Source

log = logging.getLogger(__name__)

Life: TypeAlias = Literal["new", "connecting", "connected", "lost", "retrying", "stopped"]

MOVES: dict[Life, frozenset[Life]] = {
    "new": frozenset({"connecting", "stopped"}),
    "connecting": frozenset({"connected", "lost", "stopped"}),
    "connected": frozenset({"lost", "stopped"}),
    "lost": frozenset({"retrying", "stopped"}),
    "retrying": frozenset({"connecting", "stopped"}),
    "stopped": frozenset(),
}
"""Every state of a station's source and where it may go from there."""


class Station:
    """Listens to one source for as long as it is run.

    Args:
        id: names it in topics.
        open_source: makes a new source for each attempt; raises SourceError.
        contract: of the model.
        hop_s: seconds from one window to the next.
        scheduler: runs the model.
        reporter: tells the bus.
        lags: takes the lag of each window in ms, for the heartbeat.
        now: gives seconds since the epoch.
    """

    def __init__(
        self,
        id: str,
        *,
        open_source: Callable[[], Source],
        contract: Contract,
        hop_s: float,
        scheduler: Scheduler,
        reporter: Reporter,
        lags: Callable[[float], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.id = id
        self.life: Life = "new"
        self.state: State = "no-signal"
        self._open_source = open_source
        self._contract = contract
        self._hop_s = hop_s
        self._scheduler = scheduler
        self._reporter = reporter
        self._lags = lags
        self._now = now
        self._title: str | None = None
        self._attempt()

    async def run(self) -> SourceError | None:
        """Listen until cancelled, or until a source that may end has ended.

        Returns:
            what ended it where trying again can't help; None for a clean end.
        """
        backoff: Backoff | None = None
        try:
            while True:
                source: Source | None = None
                try:
                    self._attempt()
                    self._move("connecting")
                    source = self._open_source()
                    await self._listen(source)
                    self._finish_track()
                    self._tell_no_signal()
                    self._move("stopped", reason="source-ended", detail="the source has come to its end")
                    return None
                except SourceError as error:
                    if source is not None:
                        await source.close()
                    self._lose(error)
                    if error.final if source is None else not source.live:
                        self._move("stopped", reason=error.code, detail=error.message)
                        return error
                    cap_s = source.retry_cap_s if source else Source.retry_cap_s
                    backoff = backoff or Backoff(cap_s)
                    await self._wait(backoff.failed(self._front_end.position_s))
                finally:
                    if source is not None:
                        await source.close()
        except asyncio.CancelledError:
            self._finish_track()
            self._move("stopped", reason="asked", detail="the daemon was asked to end")
            raise

    def _attempt(self) -> None:
        """Begin with nothing: a new connection has nothing to do with the one before."""
        self._front_end = FrontEndStream(self._contract.front_end, self._hop_s)
        self._decider = Decider(self._contract)
        self._clock = StationClock()

    async def _listen(self, source: Source) -> None:
        """Take all that the source gives until it ends."""
        stalled = SourceStalledError(f"no audio for {source.stall_s:g} s", remedy="look at what feeds it")
        # What gives nothing is given up where it can be opened again; a pipe is waited for.
        try:
            async with asyncio.timeout(None) as limit, contextlib.aclosing(source.events()) as events:
                give_up, say_so = partial(limit.reschedule, 0), partial(self._silent_source, stalled)
                expired = give_up if source.live else say_so
                with Watch(source.stall_s, expired) as watch:
                    async for event in events:
                        watch.kick()
                        await self._take(event)
        except TimeoutError:
            raise stalled from None
        if source.live:
            raise SourceEndedError("the source has ended", remedy="it is tried again")
        await self._judge(self._front_end.flush())

    async def _take(self, event: SourceEvent) -> None:
        match event:
            case Block():
                await self._hear(event)
            case Title():
                self._retitle(event.text)
            case Format():
                self._reformat(event)

    async def _hear(self, block: Block) -> None:
        windows = self._front_end.push(block)
        self._clock.arrived(self._front_end.position_s, self._now())
        await self._judge(windows)

    async def _judge(self, windows: list[Window]) -> None:
        """Ask the model about windows, and tell what follows."""
        loud = [window for window in windows if not self._decider.is_silent(window)]
        answers = iter(await self._scheduler.infer([window.frames for window in loud]))
        for window in windows:
            probabilities = None if self._decider.is_silent(window) else next(answers)
            verdict, track = self._decider.push(window, probabilities)
            self._tell(verdict, window)
            self._tell_track(track)

    def _tell(self, verdict: Verdict, window: Window | None) -> None:
        now = self._now()
        heard = now if window is None else min(self._clock.time_of(verdict.position_s), now)
        self.state = verdict.state
        if window is not None:
            self._lags((now - heard) * 1e3)
        self._reporter.genre(
            verdict, window, time=heard, now=now, hop_s=self._front_end.hop_s, title=self._title
        )

    def _tell_no_signal(self) -> None:
        position_s = self._front_end.position_s
        self._tell(Verdict("no-signal", None, 1.0, position_s, position_s, None), None)

    def _tell_track(self, track: TrackVerdict | None) -> None:
        if track is not None:
            start, end = self._clock.time_of(track.start_s), self._clock.time_of(track.end_s)
            self._reporter.track(track, start=start, end=end)

    def _retitle(self, text: str) -> None:
        self._tell_track(self._decider.title(text, self._front_end.position_s))
        self._title = text or None
        self._reporter.status("title", now=self._now(), detail=text[:200])

    def _reformat(self, format: Format) -> None:
        if self.life == "connecting":
            self._move("connected", format=format)
        else:
            self._reporter.status("format", now=self._now(), format=format)

    def _lose(self, error: SourceError) -> None:
        self._finish_track()
        self._move("lost", reason=error.code, detail=error.message)
        self._silent_source(error)
        self._title = None

    def _silent_source(self, error: GenrecastError) -> None:
        self._tell_no_signal()
        log.warning("%s: no signal: %s (%s)", self.id, error.message, error.code)

    def _finish_track(self) -> None:
        self._tell_track(self._decider.finish(self._front_end.position_s))

    async def _wait(self, seconds: float) -> None:
        """Wait before the next attempt; the state is told every hop all the while."""
        self._move("retrying", retry_in_s=seconds)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, self._hop_s))
            self._tell_no_signal()

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
        if to not in MOVES[self.life]:
            raise AssertionError(f"a station can't go from {self.life} to {to}")
        self.life = to
        log.info("%s: %s%s", self.id, to, f": {detail}" if detail else "")
        if to != "new":
            self._reporter.status(
                to, now=self._now(), reason=reason, detail=detail, retry_in_s=retry_in_s, format=format
            )
