"""Figures of runs on groups that they have not seen."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.training.fixtures import command
from training import metrics
from training.errors import RunError, SplitError
from training.store import Index

pytestmark = [pytest.mark.training, pytest.mark.slow]

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def evaluated(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both folds of two, trained and evaluated by one command."""
    out = tmp_path_factory.mktemp("evaluated")
    done = command(
        "training", "evaluate", "--recipe", "smoke", "--folds", 2, "--data", prepared, "--out", out
    )
    assert done.status == 0, done.err
    assert "2 group-disjoint folds" in done.out
    return out


def test_every_clip_is_asked_once(evaluated: Path) -> None:
    figures = json.loads((evaluated / "evaluation.json").read_text())

    assert figures["clips"] == 48
    assert np.sum(figures["confusion"]) == 48
    assert np.sum(figures["confusion"], axis=1).tolist() == [12, 12, 12, 12]


def test_figures_agree_with_the_confusion_matrix(evaluated: Path) -> None:
    figures = json.loads((evaluated / "evaluation.json").read_text())
    counts = np.array(figures["confusion"])
    genres = [i for i, label in enumerate(figures["labels"]) if label != "noise"]

    assert figures["accuracy"]["value"] == pytest.approx(
        counts.diagonal()[genres].sum() / counts[genres].sum()
    )
    assert figures["accuracy"]["low"] <= figures["accuracy"]["value"] <= figures["accuracy"]["high"]
    assert figures["accuracy"]["of"] == "clips of 3 genres, 2 group-disjoint folds"
    assert figures["balanced_accuracy"] == pytest.approx(
        np.mean((counts.diagonal() / counts.sum(axis=1))[genres])
    )


def test_pictures_are_drawn(evaluated: Path) -> None:
    for name in ("confusion.png", "curves.png"):
        assert (evaluated / name).read_bytes().startswith(PNG)


def test_run_is_not_asked_about_groups_that_taught_it(
    run_of_fold: Path, prepared: Path, tmp_path: Path
) -> None:
    """A set whose groups were renamed after the training would be a leak."""
    index = msgspec.json.decode((prepared / "index.json").read_bytes(), type=Index)
    state = json.loads((run_of_fold / "run.json").read_text())
    held_out, taught = set(state["held_out"]), state["train_groups"][0]
    clips = [msgspec.structs.replace(c, group=taught) if c.id in held_out else c for c in index.clips]
    (tmp_path / "index.json").write_bytes(msgspec.json.encode(Index(front_end=index.front_end, clips=clips)))

    done = command("training", "evaluate", run_of_fold, "--data", tmp_path, "--out", tmp_path / "out")

    assert done.status == SplitError.exit_status
    assert "taught" in done.err


def test_run_that_held_nothing_out_is_not_evaluated(prepared: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command("training", "fit", "--recipe", "smoke", "--data", prepared, "--out", run, "--stop-after", 1)

    done = command("training", "evaluate", run, "--data", prepared, "--out", tmp_path / "out")

    assert done.status == RunError.exit_status
    assert "held nothing out" in done.err


def test_interval_is_wider_over_groups_than_over_clips() -> None:
    random = np.random.default_rng(1)
    hits = np.repeat(random.integers(0, 2, 20), 10).astype(float)

    by_group = metrics.interval_over_groups(hits, [str(i // 10) for i in range(200)])
    by_clip = metrics.interval_over_groups(hits, [str(i) for i in range(200)])

    assert by_group[1] - by_group[0] > 2 * (by_clip[1] - by_clip[0])


def test_calibration_error_of_known_cases() -> None:
    sure = np.tile([0.9, 0.1], (100, 1))
    right = np.where(np.arange(100) < 90, 0, 1)

    assert metrics.calibration_error(sure, right, np.ones(100)) == pytest.approx(0.0, abs=1e-9)
    assert metrics.calibration_error(sure, np.ones(100, int), np.ones(100)) == pytest.approx(0.9)
