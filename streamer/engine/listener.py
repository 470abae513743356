"""One connection's audio, from blocks to what is said of it."""

import time
from collections.abc import Callable

from streamer.contract import Contract
from streamer.decide.decider import Decider
from streamer.engine.clock import StationClock
from streamer.engine.scheduler import Scheduler
from streamer.flow import Block, TrackVerdict, Window
from streamer.publish.reporter import Reporter
from streamer.signal.front_end import FrontEndStream


class Listener:
    """Takes what a source gives, tells what follows. Each connection has its own, which begins with nothing.

    Args:
        contract: of the model.
        hop_s: seconds from one window to the next.
        scheduler: runs the model.
        reporter: tells the bus.
        lags: takes the lag of each window in ms, for the heartbeat.
        now: gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        contract: Contract,
        hop_s: float,
        scheduler: Scheduler,
        reporter: Reporter,
        lags: Callable[[float], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._front_end = FrontEndStream(contract.front_end, hop_s)
        self._decider = Decider(contract, hop_s)
        self._clock = StationClock()
        self._scheduler = scheduler
        self._reporter = reporter
        self._lags = lags
        self._now = now
        self._title: str | None = None

    async def hear(self, block: Block) -> None:
        """Take a block that has arrived now."""
        windows = self._front_end.push(block)
        self._clock.arrived(self._front_end.position_s, self._now())
        await self._judge(windows)

    def retitle(self, text: str) -> None:
        """Take the title that plays from here."""
        self._tell_track(self._decider.title(text, self._front_end.position_s))
        self._title = text or None
        self._reporter.status("title", now=self._now(), detail=text[:200])

    async def flush(self) -> None:
        """Judge what is left when the audio has come to its end."""
        await self._judge(self._front_end.flush())

    def interrupt(self) -> None:
        """Tell that nothing comes any more: the track ends, the state is `no-signal`, nothing is kept."""
        self._tell_track(self._decider.finish(self._front_end.position_s))
        self._decider.interrupt()
        self._title = None
        self.tell_no_signal()

    def tell_no_signal(self) -> None:
        """Tell the complete state of a station that can't be heard."""
        self._reporter.no_signal(
            position_s=self._front_end.position_s, now=self._now(), hop_s=self._front_end.hop_s
        )

    async def _judge(self, windows: list[Window]) -> None:
        """Ask the model about the windows that are not silent, and tell what follows."""
        silent = [self._decider.is_silent(window) for window in windows]
        loud = [window.frames for window, mute in zip(windows, silent, strict=True) if not mute]
        answers = iter(await self._scheduler.infer(loud))
        for window, mute in zip(windows, silent, strict=True):
            verdict, track = self._decider.push(window, None if mute else next(answers))
            now = self._now()
            heard = self._clock.time_of(verdict.position_s)
            self._lags((now - heard) * 1e3)
            self._reporter.genre(
                verdict, window, time=heard, now=now, hop_s=self._front_end.hop_s, title=self._title
            )
            self._tell_track(track)

    def _tell_track(self, track: TrackVerdict | None) -> None:
        if track is not None:
            start, end = self._clock.time_of(track.start_s), self._clock.time_of(track.end_s)
            self._reporter.track(track, start=start, end=end)
