"""What a teacher says of windows: a file of soft labels, so that anyone can bring a teacher.

An `.npz` file with, for n windows:

- `paths` (m,) strings: ids of the clips, as they stand in the set (a manifest's `path`).
- `clip` (n,) integers: index into `paths`.
- `start_s` (n,) float: where the window begins in its clip, in seconds.
- `embedding` (n, d) float: what a student learns by regression and a linear head learns from.
- `tags` (n, k) float in 0..1 and `tag_names` (k,) strings: independent tags; k may be 0.

Windows may come in any order, at any hop, and last as long as the teacher likes: a student's
window is taught by the teacher's window whose start is nearest.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import DataError
from training.store import write_arrays

KEYS = ("paths", "clip", "start_s", "embedding", "tags", "tag_names")


@dataclass(frozen=True, slots=True)
class SoftLabels:
    """See the module; `embedding` and `tags` are float32 here."""

    paths: list[str]
    clip: NDArray[np.int64]
    start_s: NDArray[np.float64]
    embedding: NDArray[np.float32]
    tags: NDArray[np.float32]
    tag_names: list[str]


def read_soft_labels(path: Path) -> SoftLabels:
    """Read a file of soft labels.

    Raises:
        DataError: it can't be read, a key is missing, or the arrays don't fit each other.
    """
    remedy = "see training/soft_labels.py for the format; 'python -m training teach' writes it"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            found = {key: arrays[key] for key in KEYS}
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise DataError(f"{path}: no soft labels: {error}", remedy=remedy) from error
    labels = SoftLabels(
        paths=[str(name) for name in found["paths"]],
        clip=found["clip"].astype(np.int64),
        start_s=found["start_s"].astype(np.float64),
        embedding=found["embedding"].astype(np.float32),
        tags=found["tags"].astype(np.float32),
        tag_names=[str(name) for name in found["tag_names"]],
    )
    n = len(labels.clip)
    rules = {
        "clip": n > 0 and labels.clip.min() >= 0 and labels.clip.max() < len(labels.paths),
        "start_s": labels.start_s.shape == (n,),
        "embedding": labels.embedding.ndim == 2 and len(labels.embedding) == n,
        "tags": labels.tags.shape == (n, len(labels.tag_names)),
    }
    for key, holds in rules.items():
        if not holds:
            raise DataError(f"{path}: '{key}' doesn't fit the other arrays", remedy=remedy)
    return labels


def write_soft_labels(path: Path, labels: SoftLabels) -> None:
    """Write a file of soft labels; embedding and tags as float16."""
    write_arrays(
        path,
        paths=np.array(labels.paths),
        clip=labels.clip.astype(np.int32),
        start_s=labels.start_s.astype(np.float32),
        embedding=labels.embedding.astype(np.float16),
        tags=labels.tags.astype(np.float16),
        tag_names=np.array(labels.tag_names),
    )
