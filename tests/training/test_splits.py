"""No group is on two sides, whatever the set looks like, unless that was asked for by name."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.errors import SplitError
from training.splits import KINDS, Split, check_split, describe, fold_of, is_leaky, make_split
from training.store import Entry

pytestmark = pytest.mark.training

SETS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20)), min_size=30, max_size=120)
SEEDS = st.integers(0, 99)


def entry(i: int, label: str, group: str, split: str = "") -> Entry:
    return Entry(id=f"{i}", label=label, group=group, licence="", file="", frames=120, split=split)


def clips_of(pairs: list[tuple[int, int]]) -> list[Entry]:
    return [entry(i, f"l{a}", f"g{b}") for i, (a, b) in enumerate(pairs)]


def even_set() -> list[Entry]:
    """Give 270 clips: 30 groups a label, 3 clips each."""
    return [entry(i, f"l{i % 3}", f"{i % 3}-{i // 9}") for i in range(270)]


@settings(deadline=None, max_examples=40)
@given(SETS, st.integers(2, 4), SEEDS)
def test_a_group_is_in_one_fold(pairs: list[tuple[int, int]], folds: int, seed: int) -> None:
    clips = clips_of(pairs)
    if len({clip.group for clip in clips}) < folds:
        return

    which = fold_of(clips, folds, seed)

    for group in {clip.group for clip in clips}:
        assert len({which[i] for i, clip in enumerate(clips) if clip.group == group}) == 1


@settings(deadline=None, max_examples=40)
@given(SETS, st.sampled_from(["folds", "7:2:1"]), st.sampled_from([0.0, 0.25]), SEEDS)
def test_a_split_is_made_without_leak_or_refused(
    pairs: list[tuple[int, int]], kind: str, dev_share: float, seed: int
) -> None:
    clips = clips_of(pairs)
    fold = 1 if kind == "folds" else None
    try:
        split = make_split(clips, kind=kind, folds=3, fold=fold, seed=seed, dev_share=dev_share)
    except SplitError:
        return

    sides = [{clips[i].group for i in side} for side in (split.train, split.dev, split.test)]
    assert sum(map(len, sides)) == len(set.union(*sides))
    assert sorted(split.train + split.dev + split.test) == list(range(len(clips)))


@settings(deadline=None, max_examples=40)
@given(SETS, SEEDS)
def test_leaky_split_deals_out_clip_by_clip(pairs: list[tuple[int, int]], seed: int) -> None:
    clips = [entry(i, "l", f"g{group}") for i, (_, group) in enumerate(pairs)]

    split = make_split(clips, kind="leaky-7:2:1", seed=seed)

    assert sorted(split.train + split.dev + split.test) == list(range(len(clips)))
    shares = np.array([len(split.train), len(split.dev), len(split.test)]) / len(clips)
    assert np.abs(shares - (0.7, 0.2, 0.1)).max() < 0.05, shares


@given(st.lists(st.sampled_from(["training", "validation", "test", ""]), min_size=4), SEEDS)
def test_official_split_is_what_was_published(parts: list[str], seed: int) -> None:
    clips = [entry(i, "l", f"{i}", part) for i, part in enumerate(parts)]
    if not {"training", "test"} <= set(parts):
        with pytest.raises(SplitError, match="part of an official split"):
            make_split(clips, kind="official", seed=seed)
        return

    split = make_split(clips, kind="official", seed=seed)

    for name, side in zip(
        ("training", "validation", "test", ""),
        (split.train, split.dev, split.test, split.unused),
        strict=True,
    ):
        assert side == [i for i, part in enumerate(parts) if part == name]


def test_official_split_with_a_group_on_both_sides_is_refused_unless_asked_for() -> None:
    clips = [entry(0, "a", "one", "training"), entry(1, "a", "two", "training"), entry(2, "a", "one", "test")]

    with pytest.raises(SplitError, match="group 'one' is on both sides"):
        make_split(clips, kind="official")

    assert make_split(clips, kind="leaky-official").test == [2]


def test_official_split_without_validation_part_gets_a_dev_part_from_training() -> None:
    clips = [entry(i, "a", f"{i // 2}", "test" if i >= 16 else "training") for i in range(20)]

    split = make_split(clips, kind="official", dev_share=0.25)

    assert split.test == [16, 17, 18, 19]
    assert len(split.dev) == 4


def test_slides_split_is_seven_to_two_to_one_in_every_label() -> None:
    clips = even_set()

    split = make_split(clips, kind="7:2:1", seed=1)

    for label in ("l0", "l1", "l2"):
        sizes = [sum(clips[i].label == label for i in side) for side in (split.train, split.dev, split.test)]
        assert sizes == [63, 18, 9]


def test_labels_are_spread_as_evenly_as_groups_allow() -> None:
    clips = even_set()

    which = fold_of(clips, 5, seed=1)

    counts = np.array(
        [
            [sum(clips[i].label == f"l{k}" for i in np.flatnonzero(which == f)) for k in range(3)]
            for f in range(5)
        ]
    )
    assert counts.min() == counts.max() == 18, counts


@pytest.mark.parametrize("kind", ["folds", "leaky-folds"])
def test_folds_cover_the_set_and_depend_on_the_seed(kind: str) -> None:
    clips = even_set()

    def part(fold: int, seed: int) -> Split:
        return make_split(clips, kind=kind, folds=5, fold=fold, seed=seed, dev_share=0.1)

    parts = [part(k, 1) for k in range(5)]

    assert sorted(i for part in parts for i in part.test) == list(range(270))
    assert all(part.dev for part in parts)
    assert part(0, 1) == part(0, 1)
    assert part(0, 1).test != part(0, 2).test


def test_leaky_split_is_refused() -> None:
    clips = [entry(0, "a", "one"), entry(1, "a", "two"), entry(2, "a", "one")]

    with pytest.raises(SplitError, match="group 'one' is on both sides"):
        check_split(clips, Split(train=[0, 1], dev=[], test=[2]))


@pytest.mark.parametrize("kind", KINDS)
def test_figures_say_by_name_whether_they_leak(kind: str) -> None:
    said = describe(kind, [0, 1], 2)

    assert is_leaky(kind) == ("leaky" in kind) == ("LEAKY" in said) == ("group-disjoint" not in said)


def test_fold_of_a_split_without_folds_is_refused() -> None:
    with pytest.raises(SplitError, match="split '7:2:1' has no folds"):
        make_split(even_set(), kind="7:2:1", fold=0)


def test_label_with_one_group_cannot_be_held_out() -> None:
    clips = [entry(i, "a", f"{i}") for i in range(8)] + [entry(8, "b", "b")]
    fold = int(fold_of(clips, 2, 1)[8])

    with pytest.raises(SplitError, match="label 'b' has no clip left"):
        make_split(clips, folds=2, fold=fold, seed=1)


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(SplitError, match="2 groups can't make 5 folds"):
        fold_of([entry(0, "a", "x"), entry(1, "a", "y")], 5, 1)
