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
        hop: frames from one window to the next.
    """

    def __init__(self, front_end: FrontEnd, hop: int) -> None:
        self._front = front_end
        self.hop = hop
        self._recent = max(1, round(RECENT_S / front_end.frame_s))
        shortest = SHORTEST_S * front_end.sample_rate - front_end.n_fft
        self._shortest = max(1, math.ceil(shortest / front_end.hop_length))
        self._frames = np.empty((0, front_end.n_mels), np.float32)
        self._powers = np.empty(0, np.float32)
        self._until_due = front_end.n_frames
        self._since_gap: int | None = None  # frames since samples were lost, while that still matters
        self._given = False

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
            start, self._until_due = stop, self.hop
        self._keep(frames[start:], powers[start:])
        self._until_due -= len(frames) - start
        return windows

    def gap(self, lost: int) -> None:
        """Take note that `lost` samples are missing here; a gap as long as a window starts a new one."""
        if lost >= self._front.window_samples:
            self._frames, self._powers = self._frames[:0], self._powers[:0]
            self._until_due, self._since_gap, self._given = self._front.n_frames, None, False
        else:
            self._since_gap = 0

    def flush(self, end: int) -> list[Window]:
        """Give a last window that ends with the audio, where it brings a third of a hop of news or more.

        Audio shorter than a window is repeated to fill one, from `SHORTEST_S` on.
        """
        if not self._given:
            count = len(self._frames)
            if count < self._shortest:
                return []
            repeated = np.arange(self._front.n_frames) % count
            self._frames, self._powers = self._frames[repeated], self._powers[repeated]
            return [self._window(end)]
        return [self._window(end)] if (self.hop - self._until_due) * 3 >= self.hop else []

    def _keep(self, frames: Frames, powers: NDArray[np.float32]) -> None:
        keep = self._front.n_frames
        self._frames = np.concatenate((self._frames, frames))[-keep:]
        self._powers = np.concatenate((self._powers, powers))[-keep:]
        if self._since_gap is not None:
            self._since_gap += len(frames)

    def _window(self, end: int) -> Window:
        self._given = True
        gap = self._since_gap is not None and self._since_gap < self._front.n_frames
        if not gap:
            self._since_gap = None
        return Window(
            frames=self._frames.copy(),
            end=end,
            gap=gap,
            level_dbfs=dbfs(self._powers),
            recent_dbfs=dbfs(self._powers[-self._recent :]),
        )


def dbfs(powers: NDArray[np.float32]) -> float | None:
    """Give the RMS level of (k,) mean squares in dB of full scale; None for digital silence."""
    mean = float(powers.mean(dtype=np.float64))
    return 10.0 * math.log10(mean) if mean > 0.0 else None
