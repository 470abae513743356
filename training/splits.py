"""Who trains and who is asked: parts of a set that share no group.

Folds are made over the whole set at once, since some groups hold several labels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import SplitError
from training.store import Entry


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into the clips of a set: `train` teaches, `dev` calibrates, `test` is only asked."""

    train: list[int]
    dev: list[int]
    test: list[int]


def make_split(
    clips: Sequence[Entry], *, folds: int, fold: int | None, seed: int, dev_share: float = 0.0
) -> Split:
    """Hold one fold out, or none where `fold` is None, and a share of the other groups as dev part.

    Raises:
        SplitError: there are too few groups, or no such fold.
    """
    test: set[int] = set()
    if fold is not None:
        if not 0 <= fold < folds:
            raise SplitError(f"there is no fold {fold} of {folds}", remedy=f"give --fold 0 to {folds - 1}")
        which = fold_of(clips, folds, seed)
        test = {i for i in range(len(clips)) if which[i] == fold}
    rest = [i for i in range(len(clips)) if i not in test]
    dev: set[int] = set()
    if dev_share > 0:
        parts = max(2, round(1 / dev_share))
        which = fold_of([clips[i] for i in rest], parts, seed)
        dev = {i for i, part in zip(rest, which, strict=True) if part == 0}
    split = Split([i for i in rest if i not in dev], sorted(dev), sorted(test))
    check_split(clips, split)
    return split


def fold_of(clips: Sequence[Entry], folds: int, seed: int) -> NDArray[np.int64]:
    """Give (n,) fold numbers: no group in two folds, labels spread as evenly as groups allow.

    Groups are dealt out largest first (equal ones in seeded order), each to the fold where the
    labels' shares then vary least.
    """
    groups = sorted({clip.group for clip in clips})
    labels = sorted({clip.label for clip in clips})
    if folds < 2 or len(groups) < folds:
        raise SplitError(
            f"{len(groups)} groups can't make {folds} folds",
            remedy="ask for 2 folds or more, at most one a group",
        )
    counts = np.zeros((len(groups), len(labels)))
    at = {group: i for i, group in enumerate(groups)}
    for clip in clips:
        counts[at[clip.group], labels.index(clip.label)] += 1
    shares = counts / counts.sum(axis=0)
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(-shares[order].max(axis=1), kind="stable")]
    filled = np.zeros((folds, len(labels)))
    fold_of_group = np.zeros(len(groups), np.int64)
    for group in order:
        trial = filled + np.eye(folds)[:, :, None] * shares[group]  # (fold it goes to, fold, label)
        spread = trial.std(axis=1).mean(axis=1)
        best = np.flatnonzero(spread <= spread.min() + 1e-12)
        fold = best[np.argmin(filled[best].sum(axis=1))]
        filled[fold] += shares[group]
        fold_of_group[group] = fold
    return fold_of_group[[at[clip.group] for clip in clips]]


def check_split(clips: Sequence[Entry], split: Split) -> None:
    """Refuse a split that can't be trusted.

    Raises:
        SplitError: a group is on two sides, or a label has nothing to learn from.
    """
    sides = {"train": split.train, "dev": split.dev, "test": split.test}
    side_of: dict[str, str] = {}
    for side, indices in sides.items():
        for i in indices:
            other = side_of.setdefault(clips[i].group, side)
            if other != side:
                raise SplitError(
                    f"group '{clips[i].group}' is on both sides of the split: {other} and {side}",
                    remedy="split on groups over the whole set, never label by label or clip by clip",
                )
    taught = Counter(clips[i].label for i in split.train)
    for label in sorted({clip.label for clip in clips}):
        if not taught[label]:
            raise SplitError(
                f"label '{label}' has no clip left to learn from",
                remedy="bring more groups of it, or ask for fewer folds",
            )
