"""Who trains and who is asked: parts of a set that share no group, unless that was asked for by name.

`folds` and `7:2:1` are made over the whole set at once, since some groups hold several labels;
`official` is what the set's makers published. The same three with `leaky-` before them ignore groups,
as many published figures do: what comes from one of those says so wherever it goes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.errors import SplitError
from training.store import Entry

LEAKY = "leaky-"
KINDS = ("folds", "7:2:1", "official", f"{LEAKY}folds", f"{LEAKY}7:2:1", f"{LEAKY}official")
SHARES = (7, 2, 1)  # of train, dev, test in the slides of 2018
OFFICIAL = ("training", "validation", "test")


@dataclass(frozen=True, slots=True)
class Split:
    """Indices into the clips of a set.

    `train` teaches, `dev` stops and calibrates, `test` is only asked; `unused` is in no part of an
    official split.
    """

    train: list[int]
    dev: list[int]
    test: list[int]
    unused: list[int] = field(default_factory=list)


def make_split(
    clips: Sequence[Entry],
    *,
    kind: str = "folds",
    folds: int = 5,
    fold: int | None = None,
    seed: int = 1,
    dev_share: float = 0.0,
) -> Split:
    """Split a set.

    Args:
        clips: all clips of the set.
        kind: one of `KINDS`.
        folds: how many `folds` there are.
        fold: which of them is held out; None: none, all of the set teaches.
        seed: of `folds`, of `7:2:1` and of the dev part.
        dev_share: share of the clips that are not held out which becomes the dev part, where the kind
            has none of its own.

    Raises:
        SplitError: the set doesn't allow it, there is no such fold, or a group is on two sides and no
            leaky split was asked for.
    """
    leaky, name = is_leaky(kind), kind.removeprefix(LEAKY)
    if kind not in KINDS:
        raise SplitError(f"there is no split '{kind}'", remedy=f"give one of {', '.join(KINDS)}")
    if fold is not None and name != "folds":
        raise SplitError(f"split '{kind}' has no folds", remedy="leave --fold out, or give --split folds")
    if name == "folds":
        part = _fold_parts(clips, folds, fold, seed, leaky)
    elif name == "official":
        part = _official_parts(clips)
    else:
        part = _deal(clips, SHARES, seed, leaky)
    if not (part == 1).any() and dev_share > 0:
        rest = np.flatnonzero(part == 0)
        parts = max(2, round(1 / dev_share))
        part[rest[_deal([clips[i] for i in rest], np.ones(parts), seed, leaky) == 0]] = 1
    split = Split(*(np.flatnonzero(part == p).tolist() for p in (0, 1, 2, -1)))
    check_split(clips, split, leaky=leaky)
    return split


def is_leaky(kind: str) -> bool:
    """Say whether a kind of split lets clips of one group be on both sides."""
    return kind.startswith(LEAKY)


def describe(kind: str, asked: Sequence[int], folds: int) -> str:
    """Say in words what a figure is of: these folds of so many, or the test part of another kind."""
    how = "leaky" if is_leaky(kind) else "group-disjoint"
    if kind.endswith("folds"):
        said = f"{folds} {how} folds" if len(asked) == folds else f"folds {list(asked)} of {folds} {how} ones"
    else:
        said = f"the test part of the {how} split {kind.removeprefix(LEAKY)}"
    return f"{said} (LEAKY: clips of the same groups on both sides)" if is_leaky(kind) else said


def fold_of(clips: Sequence[Entry], folds: int, seed: int, *, leaky: bool = False) -> NDArray[np.int64]:
    """Give (n,) fold numbers: no group in two folds, labels spread as evenly as groups allow."""
    if folds < 2:
        raise SplitError(f"{folds} folds hold nothing out", remedy="ask for 2 folds or more")
    return _deal(clips, np.ones(folds), seed, leaky)


def _fold_parts(
    clips: Sequence[Entry], folds: int, fold: int | None, seed: int, leaky: bool
) -> NDArray[np.int64]:
    """Give (n,) parts: 2 in the fold that is held out, 0 elsewhere."""
    if fold is None:
        return np.zeros(len(clips), np.int64)
    if not 0 <= fold < folds:
        raise SplitError(f"there is no fold {fold} of {folds}", remedy=f"give --fold 0 to {folds - 1}")
    return 2 * (fold_of(clips, folds, seed, leaky=leaky) == fold).astype(np.int64)


def _official_parts(clips: Sequence[Entry]) -> NDArray[np.int64]:
    """Give (n,) parts: 0 training, 1 validation, 2 test, -1 none of them."""
    known = {name: part for part, name in enumerate(OFFICIAL)}
    part = np.array([known.get(clip.split, -1) for clip in clips], np.int64)
    for wanted in (0, 2):
        if not (part == wanted).any():
            raise SplitError(
                f"no clip of the set is in the {OFFICIAL[wanted]} part of an official split",
                remedy="give --split folds, or prepare a set whose makers published a split",
            )
    return part


def _deal(
    clips: Sequence[Entry], shares: Sequence[float] | NDArray[np.float64], seed: int, leaky: bool
) -> NDArray[np.int64]:
    """Give (n,) parts of these shares, by group; clip by clip where leaky.

    Groups are dealt out largest first (equal ones in seeded order), each to the part where the
    labels' shares then vary least.
    """
    keys = [clip.id if leaky else clip.group for clip in clips]
    groups, labels = sorted(set(keys)), sorted({clip.label for clip in clips})
    parts, weights = len(shares), np.asarray(shares, float)
    if len(groups) < parts:
        raise SplitError(
            f"{len(groups)} groups can't make {parts} folds",
            remedy="ask for fewer folds, at most one a group, or bring more groups",
        )
    counts = np.zeros((len(groups), len(labels)))
    at = {group: i for i, group in enumerate(groups)}
    column = {label: i for i, label in enumerate(labels)}
    for key, clip in zip(keys, clips, strict=True):
        counts[at[key], column[clip.label]] += 1
    amounts = counts / counts.sum(axis=0)
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(-amounts[order].max(axis=1), kind="stable")]
    filled = np.zeros((parts, len(labels)))  # relative to what each part is to get
    steps = np.eye(parts)[:, :, None] / weights[:, None]
    part_of_group = np.zeros(len(groups), np.int64)
    for group in order:
        trial = filled + steps * amounts[group]  # (part it goes to, part, label)
        spread = trial.std(axis=1).mean(axis=1)
        best = np.flatnonzero(spread <= spread.min() + 1e-12)
        part = best[np.argmin(filled[best].sum(axis=1))]
        filled[part] += amounts[group] / weights[part]
        part_of_group[group] = part
    return part_of_group[[at[key] for key in keys]]


def check_split(clips: Sequence[Entry], split: Split, *, leaky: bool = False) -> None:
    """Refuse a split that can't be trusted.

    Raises:
        SplitError: a group is on two sides and that was not asked for, or a label has nothing to learn
            from.
    """
    sides = {"train": split.train, "dev": split.dev, "test": split.test}
    side_of: dict[str, str] = {}
    for side, indices in sides.items():
        for i in indices:
            other = side_of.setdefault(clips[i].group, side)
            if other != side and not leaky:
                raise SplitError(
                    f"group '{clips[i].group}' is on both sides of the split: {other} and {side}",
                    remedy="split on groups over the whole set, or ask for a leaky split by its name",
                )
    taught = Counter(clips[i].label for i in split.train)
    for label in sorted({clip.label for clip in clips}):
        if not taught[label]:
            raise SplitError(
                f"label '{label}' has no clip left to learn from",
                remedy="bring more groups of it, or ask for fewer folds",
            )
