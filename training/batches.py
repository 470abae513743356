"""Batches for training: which clip, which three seconds of it, balanced and seeded step by step.

A step's batch depends on (seed, step) alone, so a run that was interrupted goes on as if it
had not been. Everything is held in memory, frames as float16.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Frames
from training.errors import DataError
from training.pool import Find, Pool, Random
from training.recipe import DistilRecipe, FitRecipe, Recipe
from training.store import Entry, PreparedSet
from training.teaching import Taught, TeachingSet, clip_of

CROPS_CAP = 8  # a long clip counts as the square root of its windows, at most this many: it is still one clip


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows and what is to be learnt from them.

    Attributes:
        frames: (batch, n_frames, n_mels) float32; what the network's filters find in them where `found`.
        targets: (batch,) index of the label, -1 where there is none.
        taught: what the teacher says, one row a window; None without a teacher.
        genres: (batch, n_labels) what the assistant says; None without one.
        found: see `frames`.
    """

    frames: Frames
    targets: NDArray[np.int64]
    taught: Taught | None = None
    genres: NDArray[np.float32] | None = None
    found: bool = False


class ClipBatches:
    """Draws random windows from the clips of a training part.

    Args:
        prepared: the set.
        part: indices of the clips to draw from.
        recipe: batch, balance, cap and tempo.
        labels: in the order of the network's output.
    """

    def __init__(self, prepared: PreparedSet, part: Sequence[int], recipe: Recipe, labels: list[str]) -> None:
        self._recipe = recipe
        clips = [prepared.clips[i] for i in part]
        self._pool = Pool(prepared, clips)
        self._targets = np.array([labels.index(clip.label) for clip in clips])
        windows = self._pool.counts / prepared.front_end.n_frames
        self._probability = clip_probabilities(clips, recipe.fit, windows)

    def draw(self, seed: int, step: int) -> Batch:
        """Give the batch of a step."""
        random = np.random.default_rng((seed, step))
        clips = random.choice(len(self._targets), self._recipe.fit.batch, p=self._probability)
        tempo = 1.0 + self._recipe.augment.tempo * random.uniform(-1.0, 1.0, (len(clips), 1))
        return Batch(self._pool.stretched(clips, tempo, random), self._targets[clips])

    def hear(self, find: Find, stride: int) -> None:
        """Do nothing: windows are stretched, each its own way, before they are heard."""


class TaughtBatches:
    """Draws the windows that a teacher labelled: some of labelled views, the rest of unlabelled ones.

    Args:
        sets: teaching sets.
        group_of: the group of each clip of the prepared set, where duplicates may have merged some.
        groups: those that may teach; views of others, or with others mixed in, are left out.
        recipe: with a `distil` table.
        distil: that table.
        labels: in the order of the network's output.
    """

    def __init__(
        self,
        sets: Sequence[TeachingSet],
        group_of: dict[str, str],
        groups: set[str],
        recipe: Recipe,
        distil: DistilRecipe,
        labels: list[str],
    ) -> None:
        self._distil, self._batch = distil, recipe.fit.batch
        self._parts: list[TaughtPart] = []
        self.used: dict[str, int] = {teaching.folder.name: 0 for teaching in sets}
        may_teach = _May(sets, group_of, groups, labels)
        with_labels = round(distil.labelled * self._batch)
        for labelled, count in ((True, with_labels), (False, self._batch - with_labels)):
            if count:
                self._parts.append(TaughtPart(sets, may_teach, labelled, count, recipe.fit, labels))
        for part in self._parts:
            for name, views in part.used.items():
                self.used[name] += views
        if distil.genres:
            self._ask_assistant(len(labels))
        known = np.concatenate([part.embedding for part in self._parts]).astype(np.float32)
        self._mean, self._scale = known.mean(axis=0), 1.0 / (known.std(axis=0) + 1e-3)
        self.n_embedding = known.shape[1]
        self.n_tags = self._parts[0].tags.shape[1]

    @property
    def labelled(self) -> "TaughtPart":
        """The labelled views; what there is where no batch draws any."""
        return self._parts[0]

    def hear(self, find: Find, stride: int) -> None:
        """From now on draw what filters find instead of frames.

        Args:
            find: what they do.
            stride: frames of a step.
        """
        for part in self._parts:
            part.hear(find, stride)

    def draw(self, seed: int, step: int) -> Batch:
        """Give the batch of a step; the embedding is standardised."""
        random = np.random.default_rng((seed, step))
        drawn = [part.draw(self._distil.jitter, random) for part in self._parts]
        taught = [batch.taught for batch in drawn if batch.taught]
        embedding = np.concatenate([t.embedding for t in taught])
        genres = [batch.genres for batch in drawn if batch.genres is not None]
        return Batch(
            np.concatenate([batch.frames for batch in drawn]),
            np.concatenate([batch.targets for batch in drawn]),
            Taught((embedding - self._mean) * self._scale, np.concatenate([t.tags for t in taught])),
            np.concatenate(genres) if genres else None,
            drawn[0].found,
        )

    def _ask_assistant(self, n_labels: int) -> None:
        """Fit the assistant to the labelled views and let it label all; rare genres are drawn more often."""
        from training.assistant import Assistant, evened  # scikit-learn takes a second to load

        labelled = self._parts[0]
        assistant = Assistant(labelled.said(), labelled.targets, n_labels)
        for part in self._parts:
            part.genres = assistant.genres(part.said())
        for part in self._parts[1:]:
            assert part.genres is not None
            part.probability = evened(part.genres)


class TaughtPart:
    """The labelled or the unlabelled views of the sets; `count` windows of a batch are of them."""

    def __init__(
        self,
        sets: Sequence[TeachingSet],
        may_teach: "_May",
        labelled: bool,
        count: int,
        fit: FitRecipe,
        labels: list[str],
    ) -> None:
        clips, first, windows, frame, embedding, tags = [], [], [], [], [], []
        self._views: list[tuple[TeachingSet, list[Entry]]] = []
        self._count, self.used = count, {}
        self._stride: int | None = None
        taken = 0
        for teaching in sets:
            mine = [clip for clip in teaching.clips if bool(clip.label) == labelled]
            usable = [clip for clip in mine if may_teach(clip)]
            self.used[teaching.folder.name] = len(usable)
            if not usable:
                continue
            self._views.append((teaching, usable))
            for clip in usable:
                rows = teaching.rows(clip)
                first.append(taken)
                windows.append(len(rows))
                taken += len(rows)
                frame.append(teaching.start_frame[rows])
                embedding.append(teaching.embedding[rows])
                tags.append(teaching.tags[rows])
            clips += usable
        if not clips:
            raise DataError(
                f"no {'labelled' if labelled else 'unlabelled'} view of the teaching sets may teach here",
                remedy="bring such a set with --teach, or set distil.labelled to 1 or 0",
            )
        self._first, self._windows = np.array(first), np.array(windows)
        self._frame, self.embedding = np.concatenate(frame), np.concatenate(embedding)
        self.tags = np.concatenate(tags)
        self.targets = np.array([labels.index(clip.label) if clip.label else -1 for clip in clips])
        self.genres: NDArray[np.float32] | None = None
        views = len(clips) / len({clip_of(clip) for clip in clips})
        self.probability = (
            clip_probabilities(clips, fit, self._windows.astype(float), views)
            if labelled
            else self._windows / self._windows.sum()
        )

    @cached_property
    def _pool(self) -> Pool:
        """Their frames: read once they are asked for, what the teacher says of them doesn't need them."""
        return Pool.join([Pool(teaching, views) for teaching, views in self._views])

    def said(self) -> NDArray[np.float32]:
        """Give (views, d) what the teacher says of each view, averaged over its windows."""
        return self.means(np.concatenate((self.embedding, self.tags), axis=1).astype(np.float32))

    def means(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give (views, d) means of (n, d) rows, one for each labelled window in order."""
        means: NDArray[np.float32] = np.add.reduceat(rows, self._first, axis=0)
        means /= self._windows[:, None].astype(np.float32)
        return means

    @property
    def found(self) -> bool:
        """True where windows are what the filters find; see `Batch`."""
        return self._stride is not None

    def windows(self, size: int) -> Iterator[Frames]:
        """Give all labelled windows in order, `size` at once."""
        owners = np.repeat(np.arange(len(self.targets)), self._windows)
        for first in range(0, len(owners), size):
            rows = slice(first, first + size)
            yield self._pool.at(owners[rows], self._frame[rows] // (self._stride or 1))

    def hear(self, find: Find, stride: int) -> None:
        """See `TaughtBatches.hear`."""
        self._pool, self._stride = self._pool.heard(find, stride), stride

    def draw(self, jitter: int, random: Random) -> Batch:
        """Draw this part's windows of a batch; the embedding is as the teacher gave it."""
        clips = random.choice(len(self.targets), self._count, p=self.probability)
        row = self._first[clips] + (random.random(len(clips)) * self._windows[clips]).astype(np.int64)
        beside = random.integers(-jitter, jitter + 1, len(clips))
        taught = Taught(self.embedding[row].astype(np.float32), self.tags[row].astype(np.float32))
        genres = None if self.genres is None else self.genres[clips]
        start = (self._frame[row] + beside) // (self._stride or 1)
        return Batch(self._pool.at(clips, start), self.targets[clips], taught, genres, self.found)


class _May:
    """Says whether neither a view's clip nor what was mixed into it is held out.

    Views name the groups of the data set; the prepared set may have merged some of them.
    """

    def __init__(
        self, sets: Sequence[TeachingSet], group_of: dict[str, str], groups: set[str], labels: list[str]
    ) -> None:
        self._group_of, self._groups, self._labels = group_of, groups, labels
        self._merged: dict[str, set[str]] = {}
        for clip in (clip for teaching in sets for clip in teaching.clips):
            self._merged.setdefault(clip.group, set()).add(group_of.get(clip_of(clip), clip.group))

    def __call__(self, clip: Entry) -> bool:
        if clip.also and not self._merged.get(clip.also, {clip.also}) <= self._groups:
            return False
        own = self._group_of.get(clip_of(clip), clip.group)
        return not clip.label or (own in self._groups and clip.label in self._labels)


def clip_probabilities(
    clips: Sequence[Entry], fit: FitRecipe, windows: NDArray[np.float64], views: float = 1.0
) -> NDArray[np.float64]:
    """Give the (n,) probabilities with which clips are drawn.

    Args:
        clips: the clips, or views of them.
        fit: balance and group_cap.
        windows: (n,) each one's length in windows.
        views: how many there are of each clip.
    """
    sizes = Counter((clip.label, clip.group) for clip in clips)
    weights = np.sqrt(np.clip(windows, 1.0, CROPS_CAP))
    for i, clip in enumerate(clips):
        weights[i] *= min(1.0, fit.group_cap * views / sizes[clip.label, clip.group])
    for label in {clip.label for clip in clips}:
        mask = np.array([clip.label == label for clip in clips])
        weights[mask] *= mask.sum() ** (1.0 - fit.balance) / weights[mask].sum()
    return weights / weights.sum()
