"""A teaching set, opened: views of clips and, for each labelled window of them, what the teacher says.

`python -m training teach` makes one; anybody's prepared set with a `labels.npz` of soft labels
(see `training.soft_labels`) beside its index is one too.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError
from training.soft_labels import read_soft_labels
from training.store import Entry, PreparedSet

LABELS = "labels.npz"


@dataclass(frozen=True, slots=True)
class Taught:
    """What a teacher says of windows: (n, d) float32 embedding, (n, k) float32 tags in 0..1."""

    embedding: NDArray[np.float32]
    tags: NDArray[np.float32]


def clip_of(view: Entry) -> str:
    """Give the id of the clip that a view is of."""
    return view.id.rpartition("#")[0].partition("@")[0] or view.id


class TeachingSet(PreparedSet):
    """A prepared set with soft labels.

    Args:
        folder: of the set.

    Attributes:
        start_frame: (n,) where each labelled window begins in its clip.
        embedding, tags: (n, d) and (n, k) float16.

    Raises:
        DataError: there is no set, no soft labels, or they don't cover all clips.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        labels = read_soft_labels(folder / LABELS)
        order = np.argsort(labels.clip, kind="stable")
        owners = labels.clip[order]
        self.start_frame = np.round(labels.start_s[order] / self.front_end.frame_s).astype(np.int64)
        self.embedding = labels.embedding[order].astype(np.float16)
        self.tags = labels.tags[order].astype(np.float16)
        bounds = np.searchsorted(owners, np.arange(len(labels.paths) + 1))
        self._rows = {name: range(bounds[i], bounds[i + 1]) for i, name in enumerate(labels.paths)}
        silent = [clip.id for clip in self.clips if not self._rows.get(clip.id)]
        if silent:
            raise DataError(
                f"{folder / LABELS}: {len(silent)} of {len(self.clips)} clips have no soft label,"
                f" the first is '{silent[0]}'",
                remedy="label all clips, under the ids that index.json has",
            )

    def rows(self, clip: Entry) -> range:
        """Give which windows are of a clip."""
        return self._rows[clip.id]
