"""The last frames of a stream, given out once a hop and stamped by sample index."""

import math

import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.flow import Frames, Window

RECENT_S = 1.0  # silence is judged by the last second: a whole window would say it three seconds late
SHORTEST_S = 1.0  # less audio than this is repeated into no window: nothing of a style is in it


class WindowStream:
    """Gives a `Window` every `hop` frames, from the first whole window on, whatever the block sizes.

    Args:
        front_end: as the model file states it.
        hop: frames from one window to the next; may be longer than a window.
        first_hop: frames from the first window to the second, `hop` where 0; stations that begin
            together are spread over time by it.
    """

    def __init__(self, front_end: FrontEnd, hop: int, first_hop: int = 0) -> None:
        self._front = front_end
        self._hop, self._first_hop = hop, first_hop or hop
        self._recent = max(1, round(RECENT_S / front_end.frame_s))
        shortest = SHORTEST_S * front_end.sample_rate - front_end.n_fft
        self._shortest = max(1, math.ceil(shortest / front_end.hop_length))
        self._room = _Room(front_end)
        self._frames: Frames = np.empty((0, front_end.n_mels), np.float32)
        self._powers = np.empty(0, np.float32)
        self._until_due = front_end.n_frames
        self._since_gap: int | None = None  # frames since samples were lost, while that still matters
        self._since_window: int | None = None  # frames since the last window; None: it shares none
        self._past = 0  # the same with those that were skipped
        self._given = self._cut = False

    @property
    def hop(self) -> int:
        """Frames from one window to the next."""
        return self._hop

    def set_hop(self, hop: int) -> None:
        """Change the hop; the next window comes so long after the last one, or soon if that is past."""
        if self._given and hop != self._hop:
            step = math.gcd(hop, self._hop)  # windows stay whole steps apart, so that they can share them
            self._until_due = max(hop - self._past, step - self._past % step)
            if self._since_window is None:
                self._until_due = max(self._until_due, self._front.n_frames - len(self._frames))
        self._hop = self._first_hop = hop

    @property
    def until_due(self) -> int:
        """Frames that complete the next window, at least 1."""
        return self._until_due

    def push(self, frames: Frames, powers: NDArray[np.float32], end: int) -> list[Window]:
        """Take (k, n_mels) frames with their powers; give the windows that are now due, oldest first.

        Args:
            frames: consecutive frames as `MelStream` gives them.
            powers: (k,) mean square of each frame's new part.
            end: index of the sample after the last of these frames.
        """
        windows = []
        start = 0
        while len(frames) - start >= self._until_due:
            stop = start + self._until_due
            self._keep(frames[start:stop], powers[start:stop])
            windows.append(self._window(end - (len(frames) - stop) * self._front.hop_length))
            start, self._until_due, self._first_hop = stop, self._first_hop, self._hop
        self._keep(frames[start:], powers[start:])
        self._until_due -= len(frames) - start
        return windows

    def gap(self, lost: int) -> None:
        """Take note that `lost` samples are missing here; a gap as long as a window starts a new one."""
        if lost >= self._front.window_samples:
            self._restart()
            self._until_due, self._given = self._front.n_frames, False
        else:
            self._since_gap = 0

    def skip(self, skipped: int, *, cut: bool) -> None:
        """Take note that `skipped` samples were passed over here, since no window was to have them.

        Args:
            skipped: samples; the next window comes when it is due, from frames after them.
            cut: True where windows were to have them and could not: the next one says so as a gap.
        """
        self._restart()
        self._cut = self._cut or cut
        # The first frame after them is whole only n_fft samples on: that overlap is missing too.
        missing = skipped + self._front.n_fft - self._front.hop_length
        frames = missing // self._front.hop_length
        self._past += frames
        self._until_due = max(self._front.n_frames, self._until_due - frames)

    def flush(self, end: int) -> list[Window]:
        """Give a last window that ends with the audio, where it brings a third of a hop of news or more.

        Audio shorter than a window is repeated to fill one, from `SHORTEST_S` on.
        """
        count = len(self._frames)
        if not self._given:
            if count < self._shortest:
                return []
            repeated = np.arange(self._front.n_frames) % count
            self._frames, self._powers = self._frames[repeated], self._powers[repeated]
            self._since_window = None
            return [self._window(end)]
        due = self._past * 3 >= self._hop and count == self._front.n_frames
        return [self._window(end)] if due else []

    def _restart(self) -> None:
        self._frames, self._powers = self._frames[:0], self._powers[:0]
        self._since_gap = self._since_window = None

    def _keep(self, frames: Frames, powers: NDArray[np.float32]) -> None:
        most = self._front.n_frames
        old = max(len(self._frames) + len(frames) - most, 0)
        self._frames = self._room.append(self._frames[old:], frames[-most:])
        self._powers = np.concatenate((self._powers[old:], powers[-most:]))
        if self._since_gap is not None:
            self._since_gap += len(frames)
        if self._since_window is not None:
            self._since_window += len(frames)
        self._past += len(frames)

    def _window(self, end: int) -> Window:
        gap = self._since_gap is not None and self._since_gap < self._front.n_frames
        if not gap:
            self._since_gap = None
        window = Window(
            frames=self._frames,  # never written to again: what comes next makes another array
            end=end,
            gap=gap or self._cut,
            level_dbfs=dbfs(self._powers),
            recent_dbfs=dbfs(self._powers[-self._recent :]),
            new=self._since_window,
        )
        self._given, self._cut, self._since_window, self._past = True, False, 0, 0
        return window


class _Room:
    """Where a stream's frames follow one another in memory, so that windows are views of it.

    What was given out is never written to again: where there is no room behind it, it moves.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        # A second more than a window: with short hops it moves once a second, and is kept small.
        self._rows = front_end.n_frames + max(1, round(RECENT_S / front_end.frame_s))
        self._all = np.empty((self._rows, front_end.n_mels), np.float32)
        self._end = 0

    def append(self, old: Frames, new: Frames) -> Frames:
        """Take the last frames that were given out, and those that follow; give all of them in a row."""
        begin = self._end - len(old)
        if self._end + len(new) > self._rows:
            self._all = np.empty_like(self._all)
            self._all[: len(old)] = old
            begin, self._end = 0, len(old)
        self._all[self._end : self._end + len(new)] = new
        self._end += len(new)
        return self._all[begin : self._end]


def dbfs(powers: NDArray[np.float32]) -> float | None:
    """Give the RMS level of (k,) mean squares in dB of full scale; None for digital silence."""
    mean = float(powers.mean(dtype=np.float64))
    return 10.0 * math.log10(mean) if mean > 0.0 else None
