"""No group is on two sides, whatever the set looks like."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import SplitError
from training.splits import Split, check_split, fold_of, make_split
from training.store import Entry

pytestmark = pytest.mark.training


def entry(i: int, label: str, group: str) -> Entry:
    return Entry(id=f"{i}", label=label, group=group, licence="", file="", frames=120)


def clips_of(labels: list[int], groups: list[int]) -> list[Entry]:
    return [entry(i, f"l{a}", f"g{b}") for i, (a, b) in enumerate(zip(labels, groups, strict=True))]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), min_size=30, max_size=120),
    st.integers(2, 4),
    st.integers(0, 99),
)
def test_a_group_is_in_one_fold(pairs: list[tuple[int, int]], folds: int, seed: int) -> None:
    clips = clips_of([a for a, _ in pairs], [b for _, b in pairs])
    if len({clip.group for clip in clips}) < folds:
        return

    which = fold_of(clips, folds, seed)

    for group in {clip.group for clip in clips}:
        assert len({which[i] for i, clip in enumerate(clips) if clip.group == group}) == 1


def test_labels_are_spread_as_evenly_as_groups_allow() -> None:
    clips = [
        entry(i, f"l{i % 3}", f"{i % 3}-{i // 9}") for i in range(270)
    ]  # 30 groups a label, 3 clips each

    which = fold_of(clips, 5, seed=1)

    counts = np.array(
        [
            [sum(clips[i].label == f"l{k}" for i in np.flatnonzero(which == f)) for k in range(3)]
            for f in range(5)
        ]
    )
    assert counts.min() == counts.max() == 18, counts


def test_folds_cover_the_set_and_depend_on_the_seed() -> None:
    clips = [entry(i, f"l{i % 3}", f"{i % 3}-{i // 9}") for i in range(270)]

    parts = [make_split(clips, folds=5, fold=k, seed=1, dev_share=0.1) for k in range(5)]

    assert sorted(i for part in parts for i in part.test) == list(range(270))
    assert all(part.dev for part in parts)
    assert make_split(clips, folds=5, fold=0, seed=1).test == make_split(clips, folds=5, fold=0, seed=1).test
    assert make_split(clips, folds=5, fold=0, seed=1).test != make_split(clips, folds=5, fold=0, seed=2).test


def test_leaky_split_is_refused() -> None:
    clips = [entry(0, "a", "one"), entry(1, "a", "two"), entry(2, "a", "one")]

    with pytest.raises(SplitError, match="group 'one' is on both sides"):
        check_split(clips, Split(train=[0, 1], dev=[], test=[2]))


def test_label_with_one_group_cannot_be_held_out() -> None:
    clips = [entry(i, "a", f"{i}") for i in range(8)] + [entry(8, "b", "b")]
    fold = int(fold_of(clips, 2, 1)[8])

    with pytest.raises(SplitError, match="label 'b' has no clip left"):
        make_split(clips, folds=2, fold=fold, seed=1)


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(SplitError, match="2 groups can't make 5 folds"):
        fold_of([entry(0, "a", "x"), entry(1, "a", "y")], 5, 1)
