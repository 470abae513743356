"""Batches for training: which clip, which three seconds of it, balanced and seeded step by step.

A step's batch depends on (seed, step) alone, so a run that was interrupted goes on as if it
had not been.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Frames
from training.recipe import Recipe
from training.store import Entry, PreparedSet

CROPS_CAP = 8  # a long clip counts as the square root of its windows, at most this many: it is still one clip


class Batches:
    """Draws windows from the clips of a training part, all held in memory.

    Args:
        prepared: the set.
        part: indices of the clips to draw from.
        recipe: batch, balance, cap and tempo.
        labels: in the order of the network's output.
    """

    def __init__(self, prepared: PreparedSet, part: Sequence[int], recipe: Recipe, labels: list[str]) -> None:
        self._recipe = recipe
        self._n_frames = prepared.front_end.n_frames
        clips = [prepared.clips[i] for i in part]
        frames = [prepared.frames(clip).astype(np.float16) for clip in clips]
        self._frames = np.concatenate(frames)
        self._counts = np.array([len(f) for f in frames])
        self._starts = np.concatenate(([0], np.cumsum(self._counts)[:-1]))
        self._targets = np.array([labels.index(clip.label) for clip in clips])
        self._probability = clip_probabilities(clips, recipe, self._counts / self._n_frames)

    def draw(self, seed: int, step: int) -> tuple[Frames, NDArray[np.int64]]:
        """Give the (batch, n_frames, n_mels) windows and (batch,) targets of a step."""
        random = np.random.default_rng((seed, step))
        clips = random.choice(len(self._targets), self._recipe.fit.batch, p=self._probability)
        return self._crop(clips, random), self._targets[clips]

    def _crop(self, clips: NDArray[np.int64], random: np.random.Generator) -> Frames:
        """Cut a random window of each clip, read a little faster or slower; short clips are repeated."""
        tempo = 1.0 + self._recipe.augment.tempo * random.uniform(-1.0, 1.0, (len(clips), 1))
        counts = self._counts[clips][:, None]
        room = counts - tempo * self._n_frames
        start = random.uniform(0.0, 1.0, (len(clips), 1)) * np.where(room > 0, room, counts)
        at = start + tempo * np.arange(self._n_frames)
        below = at.astype(np.int64)
        weight = (at - below).astype(np.float32)[:, :, None]
        first = self._starts[clips][:, None]
        low = self._frames[first + below % counts].astype(np.float32)
        high = self._frames[first + (below + 1) % counts].astype(np.float32)
        return low + weight * (high - low)


def clip_probabilities(
    clips: Sequence[Entry], recipe: Recipe, windows: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give the (n,) probabilities with which clips are drawn; `windows` is each one's length in windows."""
    sizes = Counter((clip.label, clip.group) for clip in clips)
    weights = np.sqrt(np.clip(windows, 1.0, CROPS_CAP))
    for i, clip in enumerate(clips):
        weights[i] *= min(1.0, recipe.fit.group_cap / sizes[clip.label, clip.group])
    for label in {clip.label for clip in clips}:
        mask = np.array([clip.label == label for clip in clips])
        weights[mask] *= mask.sum() ** (1.0 - recipe.fit.balance) / weights[mask].sum()
    return weights / weights.sum()
