"""One connection's audio, from blocks to what is said of it."""

import asyncio
import time
import zlib
from collections.abc import Callable, Container

from streamer.decide.decider import Decider
from streamer.engine.clock import StationClock
from streamer.engine.overlap import Overlap
from streamer.engine.scheduler import Scheduler
from streamer.flow import Block, Probabilities, TrackVerdict, Window
from streamer.model.session import Model
from streamer.publish.reporter import Reporter
from streamer.signal.front_end import FrontEndStream

# A station that is so late has more before it than hops can be stretched for: what waits is passed over.
LATE_S = 3.0
SHORTEST_SKIP_S = 0.5  # decoders need a tenth of a second to get going again


class Listener:
    """Takes what a source gives, tells what follows. Each connection has its own, which begins with nothing.

    Args:
        id: of the station; says how far into its hops it is, so that stations are spread over time.
        model: whose contract says what is heard.
        hop_s: seconds from one window to the next.
        scheduler: runs the model.
        reporter: tells the bus.
        lags: takes the lag of each window in ms, for the heartbeat.
        dropped: takes how many windows were due and not done.
        watched: ids of the stations whose frames somebody wants to see; they may change.
        now: gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        id: str,
        model: Model,
        hop_s: float,
        scheduler: Scheduler,
        reporter: Reporter,
        lags: Callable[[float], None] = lambda _: None,
        dropped: Callable[[int], None] = lambda _: None,
        watched: Container[str] = frozenset(),
        now: Callable[[], float] = time.time,
    ) -> None:
        contract, phase = model.contract, self.phase(id)
        self._front_end = FrontEndStream(contract.front_end, hop_s, step=model.stride, phase=phase)
        self._overlap = Overlap(model)
        self._decider = Decider(contract, hop_s)
        self._rate = contract.front_end.sample_rate
        self._clock = StationClock()
        self._scheduler, self._stages, self._reporter = scheduler, scheduler.stages, reporter
        self._lags, self._dropped = lags, dropped
        self._id, self._watched, self._frame_s = id, watched, contract.front_end.frame_s
        self._now = now
        self._title: str | None = None
        self._last_end: int | None = None  # of the last window
        self._skip_s = 0.0  # of what was asked for, how much was not yet heard of
        self._unheeded_s = 0.0  # what came since it was asked for
        self._late = self._cut = False  # it was asked for because it is late; windows were lost by it

    @staticmethod
    def phase(id: str) -> float:
        """Give how far into its hops a station is after its first window, 0 to 1; always the same."""
        return zlib.crc32(id.encode()) / 2**32

    @property
    def due_s(self) -> float:
        """Seconds of audio that complete the next window."""
        return self._front_end.due_s

    def stretch(self, hop_s: float) -> float:
        """Change the seconds from one window to the next; give how much of a skip is now wanted after all."""
        self._front_end.hop_s = hop_s
        self._decider.hop_s = hop_s
        wanted_s = 0.0 if self._late else max(self._skip_s - self._front_end.needless_s, 0.0)
        self._skip_s -= wanted_s
        return wanted_s

    async def hear(self, block: Block) -> None:
        """Take a block that has arrived now."""
        # Whatever else came with it is decoded first: each step finds what it needs in the core's caches.
        await asyncio.sleep(0)
        self._stages.start()
        windows = self._front_end.push(block, cut=self._late)
        self._stages.lap("front_end")
        self._follow_skip(block)
        self._clock.arrived(self._front_end.position_s, self._now())
        await self._judge(windows)

    def skips(self) -> float:
        """Give the seconds of audio from here on that need not be decoded; each is asked for once."""
        if self._skip_s:
            return 0.0
        late_s = self._now() - self._clock.time_of(self._front_end.position_s)
        self._late = late_s > LATE_S
        wanted_s = late_s if self._late else self._front_end.needless_s
        self._skip_s = wanted_s if wanted_s >= SHORTEST_SKIP_S else 0.0
        self._unheeded_s = 0.0
        return self._skip_s

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

    def _follow_skip(self, block: Block) -> None:
        """Find out how much is still to be passed over; a source that can't leaves it at that."""
        if block.skipped:
            self._skip_s -= block.skipped / block.rate
            self._cut = self._cut or self._late
        self._unheeded_s += len(block.samples) / block.rate
        # Sources pass over whole packets, not to the sample.
        if len(block.samples) and (self._skip_s < SHORTEST_SKIP_S or self._unheeded_s > LATE_S):
            self._skip_s, self._late = 0.0, False

    async def _judge(self, windows: list[Window]) -> None:
        """Ask the model about the windows that are not silent, and tell what follows."""
        silent = [self._decider.is_silent(window) for window in windows]
        answers = iter(await self._ask(windows, silent))
        self._stages.start()
        for window, mute in zip(windows, silent, strict=True):
            self._count_dropped(window)
            verdict, track = self._decider.push(window, None if mute else next(answers))
            self._stages.lap("decide")
            now = self._now()
            heard = self._clock.time_of(verdict.position_s)
            self._lags((now - heard) * 1e3)
            self._reporter.genre(
                verdict, window, time=heard, now=now, hop_s=self._front_end.hop_s, title=self._title
            )
            if self._id in self._watched:
                self._reporter.mel(window, position_s=verdict.position_s, frame_s=self._frame_s, time=heard)
            self._tell_track(track)
            self._stages.lap("tell")

    async def _ask(self, windows: list[Window], silent: list[bool]) -> list[Probabilities]:
        loud = []
        for window, mute in zip(windows, silent, strict=True):
            if mute:
                self._overlap.passes(window)
            else:
                loud.append(window)
        return await self._scheduler.infer(self._overlap, loud) if loud else []

    def _count_dropped(self, window: Window) -> None:
        """Count the windows that were due between the last one and this, where audio was cut."""
        last_end, self._last_end = self._last_end, window.end
        if self._cut and window.gap and last_end is not None:
            self._cut = False
            hops = (window.end - last_end) / self._rate / self._front_end.hop_s
            self._dropped(max(round(hops) - 1, 0))

    def _tell_track(self, track: TrackVerdict | None) -> None:
        if track is not None:
            start, end = self._clock.time_of(track.start_s), self._clock.time_of(track.end_s)
            self._reporter.track(track, start=start, end=end)
