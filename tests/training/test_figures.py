"""What becomes of answers: each clip counted once, leaks named, the streamer's own rule."""

import numpy as np
import pytest

from tests.training.made_up import CLIPS, LABELS, answers_of
from training.ask import check_together, judge
from training.errors import RunError
from training.figures import figures_of
from training.recipe import read_recipe
from training.windows import answers

pytestmark = pytest.mark.training

GENRES = 3


def test_clip_asked_by_three_seeds_counts_once() -> None:
    """The same answers three times over are no more evidence than once."""
    once = figures_of([answers_of(fold=k) for k in (0, 1)])
    thrice = figures_of([answers_of(fold=k, split_seed=s) for s in (1, 2, 3) for k in (0, 1)])

    assert thrice["clips"] == once["clips"] == CLIPS * len(LABELS)
    for key in ("value", "low", "high"):
        assert thrice["accuracy"][key] == pytest.approx(once["accuracy"][key])
    assert thrice["balanced_accuracy_interval"] == pytest.approx(once["balanced_accuracy_interval"])
    assert thrice["segments"]["accuracy_interval"]["low"] == pytest.approx(
        once["segments"]["accuracy_interval"]["low"]
    )
    assert thrice["accuracy"]["of"] == f"clips of {GENRES} genres, 2 group-disjoint folds, mean of 3 seeds"


def test_accuracy_is_the_mean_of_the_seeds() -> None:
    found = figures_of([answers_of(fold=k, split_seed=s, chance=s) for s in (1, 2, 3) for k in (0, 1)])

    of_seeds = [seed["accuracy"] for seed in found["by_split_seed"].values()]
    assert len(set(of_seeds)) > 1
    assert found["accuracy"]["value"] == pytest.approx(np.mean(of_seeds))
    assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]
    assert found["balanced_accuracy"] == pytest.approx(
        np.mean([seed["balanced_accuracy"] for seed in found["by_split_seed"].values()])
    )


def test_leaky_figures_say_so() -> None:
    found = figures_of([answers_of(fold=k, split="leaky-folds") for k in (0, 1)])

    assert found["leaky"]
    assert "LEAKY" in found["accuracy"]["of"]


def test_honest_and_leaky_runs_are_not_one_figure() -> None:
    with pytest.raises(RunError, match="different recipes"):
        check_together([answers_of().state, answers_of(fold=1, split="leaky-folds").state])


def test_precision_is_of_what_was_said() -> None:
    found = figures_of([answers_of(fold=k) for k in (0, 1)])
    counts = np.array(found["confusion"])

    for at, label in enumerate(LABELS):
        row = found["by_label"][label]
        assert row["precision"] == pytest.approx(counts[at, at] / counts[:, at].sum())
        assert (row["clips"], row["groups"]) == (CLIPS, CLIPS // 2)


def test_gates_follow_the_streamers_rule_and_not_the_highest_probability() -> None:
    """Two genres that share the probability of music don't lose to one that is no music."""
    probabilities = np.array(
        [[0.31, 0.29, 0.0, 0.4, 0.0], [0.1, 0.1, 0.1, 0.0, 0.7], [0.25, 0.25, 0.25, 0.2, 0.05]]
    )

    said = answers(probabilities, LABELS, read_recipe("smoke"))

    assert [answer.state for answer in said] == ["music", "speech", "unsure"]
    assert said[0].genre == LABELS[0]


def test_clip_is_the_mean_of_its_windows() -> None:
    run = answers_of()

    judged = judge([run], [1.0])

    own = judged.windows[judged.window_clip == 2]
    assert judged.probabilities[2] == pytest.approx(own.mean(axis=0))
