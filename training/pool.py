"""The frames of many clips in memory, to cut windows from, or what a network's filters find in them."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Frames
from training.store import Entry, PreparedSet

Random = np.random.Generator
Find = Callable[[Frames], Frames]
"""(n, n_frames, n_mels) to (n, steps, filters)."""


class Pool:
    """The frames of many clips, one after the other; clips shorter than a window are repeated."""

    def __init__(self, prepared: PreparedSet, clips: Sequence[Entry]) -> None:
        self._n_frames = prepared.front_end.n_frames
        self.counts = np.array([clip.frames for clip in clips])
        self._starts = np.concatenate(([0], np.cumsum(self.counts)[:-1]))
        self._frames = np.empty((self.counts.sum(), prepared.front_end.n_mels), np.float16)
        for clip, start in zip(clips, self._starts, strict=True):
            self._frames[start : start + clip.frames] = prepared.frames(clip)

    @classmethod
    def join(cls, pools: Sequence["Pool"]) -> "Pool":
        """Give one pool of several, their clips in order."""
        if len(pools) == 1:
            return pools[0]
        joined = cls.__new__(cls)
        joined._n_frames = pools[0]._n_frames
        joined.counts = np.concatenate([pool.counts for pool in pools])
        joined._starts = np.concatenate(([0], np.cumsum(joined.counts)[:-1]))
        joined._frames = np.concatenate([pool._frames for pool in pools])
        return joined

    def heard(self, find: Find, stride: int) -> "Pool":
        """Give a pool of what filters find in the clips; see `training.batches.TaughtBatches.hear`."""
        parts = []
        for first, count in zip(self._starts, self.counts, strict=True):
            frames = self._frames[first : first + count].astype(np.float32)
            if count < self._n_frames:
                frames = np.resize(frames, (self._n_frames, frames.shape[1]))
            parts.append(_heard(frames, find, stride, self._n_frames))
        pool = type(self).__new__(type(self))
        pool._n_frames = len(find(np.zeros((1, self._n_frames, self._frames.shape[1]), np.float32))[0])
        pool.counts = np.array([len(part) for part in parts])
        pool._starts = np.concatenate(([0], np.cumsum(pool.counts)[:-1]))
        pool._frames = np.concatenate(parts)
        return pool

    def at(self, clips: NDArray[np.int64], start: NDArray[np.int64]) -> Frames:
        """Give the (n, n_frames, n_mels) windows of clips that begin at these frames."""
        last = np.maximum(self.counts[clips] - self._n_frames, 0)
        at = np.clip(start, 0, last)[:, None] + np.arange(self._n_frames)
        return self._frames[self._starts[clips][:, None] + at % self.counts[clips][:, None]].astype(
            np.float32
        )

    def stretched(self, clips: NDArray[np.int64], tempo: NDArray[np.float64], random: Random) -> Frames:
        """Cut a random window of each clip, read faster or slower by (n, 1) `tempo`."""
        counts = self.counts[clips][:, None]
        room = counts - tempo * self._n_frames
        start = random.uniform(0.0, 1.0, (len(clips), 1)) * np.where(room > 0, room, counts)
        at = start + tempo * np.arange(self._n_frames)
        below = at.astype(np.int64)
        weight = (at - below).astype(np.float32)[:, :, None]
        first = self._starts[clips][:, None]
        low = self._frames[first + below % counts].astype(np.float32)
        high = self._frames[first + (below + 1) % counts].astype(np.float32)
        return low + weight * (high - low)


def _heard(frames: Frames, find: Find, stride: int, n_frames: int) -> NDArray[np.float16]:
    """Give (steps, filters) of a clip of any length, a dozen windows at a time: it fits a cache."""
    a_step = n_frames - (len(find(frames[None, :n_frames])[0]) - 1) * stride  # frames that one step sees
    block = 12 * (n_frames // stride) * stride
    parts = [
        find(frames[None, at : at + block + a_step - stride])[0]
        for at in range(0, len(frames) - a_step + 1, block)
    ]
    return np.concatenate(parts).astype(np.float16)
