"""One station's voice on the bus: verdicts and events made messages, numbered and dated."""

from typing import Protocol, TypedDict

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from streamer.flow import Format, Probabilities, State, TrackVerdict, Verdict, Window
from streamer.publish.messages import (
    AudioFormat,
    Change,
    ChangeFrom,
    ChangeTo,
    Genre,
    Mel,
    Message,
    Status,
    StatusEvent,
    Track,
    WindowOnly,
    encode,
    utc,
)
from streamer.publish.spectrogram import draw
from streamer.text import printable, shown

# A genre message must stay under 1 KiB at 14 labels, whatever a server calls its titles.
MAX_TITLE_BYTES = 240


class _Common(TypedDict):
    """The fields that every message begins with."""

    station: str
    seq: int
    boot: str
    time: str


class Sink(Protocol):
    """Where messages go: the bus, or the way to it."""

    def send(self, message: Message) -> None:
        """Take a message; never blocks."""


class Memory(msgspec.Struct):
    """What a station's messages must go on from, also where another process goes on with them.

    Attributes:
        seq: the next number of each kind.
        state: last said; None before anything was.
        genre: of it.
        since: when that began. All times are seconds since the epoch.
        newest: time of the newest message.
        track_end: end of the last track that was told.
    """

    seq: dict[str, int] = msgspec.field(default_factory=dict)
    state: State | None = None
    genre: str | None = None
    since: float = 0.0
    newest: float = 0.0
    track_end: float = 0.0


class Reporter:
    """Tells the bus what there is to say of one station. All times are seconds since the epoch.

    Args:
        bus: where messages go.
        station: id of the station.
        boot: id of this run of the daemon.
        labels: in the order of the model's probabilities.
        memory: of what was told before.
    """

    def __init__(
        self, bus: Sink, station: str, boot: str, labels: tuple[str, ...], memory: Memory | None = None
    ) -> None:
        self._bus = bus
        self._station = station
        self._boot = boot
        self._labels = labels
        self.memory = memory or Memory()
        self._since = utc(self.memory.since)

    @property
    def state(self) -> State:
        """What was last said."""
        return self.memory.state or "no-signal"

    def no_signal(self, *, position_s: float, now: float, hop_s: float) -> None:
        """Tell that the station can't be heard; see `genre` for the arguments."""
        verdict = Verdict("no-signal", None, 1.0, position_s, position_s, None)
        self.genre(verdict, None, time=now, now=now, hop_s=hop_s, title=None)

    def genre(
        self,
        verdict: Verdict,
        window: Window | None,
        *,
        time: float,
        now: float,
        hop_s: float,
        title: str | None,
    ) -> None:
        """Tell the complete state, and the change where it is one. Time never runs back.

        Args:
            verdict: what is said.
            window: what it was said of; None in `no-signal`.
            time: when the window's last sample was heard.
            now: this moment.
            hop_s: seconds from one window to the next, as they are now.
            title: that plays.
        """
        lag_s = max(now - time, 0.0)
        told = self.memory
        told.newest = time = max(time, told.newest)
        title = shorten(title)
        if told.state is None or (verdict.state, verdict.genre) != (told.state, told.genre):
            if told.state is not None:
                self._change(told.state, verdict, time, title)
            told.since = max(time - (verdict.position_s - verdict.since_s), told.since)
            self._since = utc(told.since)
        told.state, told.genre = verdict.state, verdict.genre
        silent = window is None or window.level_dbfs is None
        self._bus.send(
            Genre(
                **self._common("genre", time),
                state=verdict.state,
                genre=verdict.genre,
                confidence=round(verdict.confidence, 4),
                since=self._since,
                probabilities=self._named(verdict.probabilities),
                window=(
                    WindowOnly(label=verdict.window_label, confidence=round(verdict.window_confidence, 4))
                    if verdict.window_label
                    else None
                ),
                level_dbfs=None if silent or window is None else round(window.level_dbfs or 0.0, 1),
                position=round(verdict.position_s, 3),
                gap=window.gap if window else False,
                lag_ms=round(lag_s * 1e3, 1),
                hop=round(hop_s, 3),
                title=title,
            )
        )

    def track(self, track: TrackVerdict, *, start: float, end: float) -> None:
        """Tell the verdict of a whole track; it begins no sooner than the one before has ended."""
        start, end = max(start, self.memory.track_end), max(end, self.memory.track_end)
        self.memory.track_end = end
        self._bus.send(
            Track(
                **self._common("track", end),
                title=shorten(track.title),
                start=utc(start),
                end=utc(end),
                seconds=round(max(track.end_s - track.start_s, 0.0), 3),
                genre=track.genre,
                confidence=round(track.confidence, 4),
                probabilities=self._named(track.probabilities),
                shares={state: round(share, 4) for state, share in track.shares.items()},
                windows=track.windows,
            )
        )

    def mel(self, window: Window, *, position_s: float, frame_s: float, time: float) -> None:
        """Tell what the frames look like that the window before did not have; see `genre` for the time."""
        frames = window.frames if window.new is None else window.frames[-window.new :]
        seconds = len(frames) * frame_s
        columns, floor_db, step_db, data = draw(frames, seconds)
        self._bus.send(
            Mel(
                **self._common("mel", time),
                position=round(position_s, 3),
                seconds=round(seconds, 4),
                columns=columns,
                bands=frames.shape[1],
                floor_db=round(floor_db, 2),
                step_db=round(step_db, 4),
                data=data,
            )
        )

    def status(
        self,
        event: StatusEvent,
        *,
        now: float,
        reason: str = "ok",
        detail: str = "",
        retry_in_s: float | None = None,
        format: Format | None = None,
    ) -> None:
        """Tell what happened to the source; `reason` is a stable code."""
        self._bus.send(
            Status(
                **self._common("status", now),
                event=event,
                reason=reason,
                detail=shown(detail),
                retry_in=None if retry_in_s is None else round(retry_in_s, 3),
                format=None
                if format is None
                else AudioFormat(
                    codec=format.codec, rate=format.rate, channels=format.channels, bitrate=format.bitrate
                ),
            )
        )

    def _change(self, before: State, after: Verdict, time: float, title: str | None) -> None:
        self._bus.send(
            Change(
                **self._common("change", time),
                from_=ChangeFrom(state=before, genre=self.memory.genre, since=self._since),
                to=ChangeTo(state=after.state, genre=after.genre, confidence=round(after.confidence, 4)),
                title=title,
            )
        )

    def _common(self, kind: str, time: float) -> _Common:
        told = self.memory
        seq = told.seq.get(kind, 0)
        told.seq[kind] = seq + 1
        told.newest = max(time, told.newest)
        return {"station": self._station, "seq": seq, "boot": self._boot, "time": utc(told.newest)}

    def _named(self, probabilities: Probabilities | None) -> dict[str, float] | UnsetType:
        if probabilities is None:
            return UNSET
        rounded = probabilities.astype(np.float64).round(4).tolist()
        return dict(zip(self._labels, rounded, strict=True))


def shorten(title: str | None) -> str | None:
    """Cut a title to what takes `MAX_TITLE_BYTES` as JSON; None where there is none."""
    if not title:
        return None
    title = printable(title)
    while len(encode(title)) > MAX_TITLE_BYTES:
        title = title[: len(title) * 3 // 4]
    return title
