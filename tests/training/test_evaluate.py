"""Figures of runs on groups that they have not seen."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.training.fixtures import command
from training.errors import DataError, RunError, SplitError
from training.store import Index

pytestmark = [pytest.mark.training, pytest.mark.slow]

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def evaluated(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both folds of two, trained and evaluated by one command."""
    out = tmp_path_factory.mktemp("evaluated")
    done = command(
        "training",
        "evaluate",
        "--recipe",
        "smoke",
        "--folds",
        2,
        "--jobs",
        2,
        "--data",
        prepared,
        "--out",
        out,
    )
    assert done.status == 0, done.err
    assert "2 group-disjoint folds" in done.out
    return out


@pytest.fixture(scope="module")
def everything(
    evaluated: Path, prepared: Path, corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The same runs, given by name, with all that costs more; one fold of the leaky split is given, too."""
    out = tmp_path_factory.mktemp("everything")
    leaky = out / "leaky-fold"
    options = ("--recipe", "smoke", "--data", prepared, "--folds", 2)
    done = command("training", "fit", *options, "--split", "leaky-folds", "--fold", 0, "--out", leaky)
    assert done.status == 0, done.err
    runs = [evaluated / "split1" / f"fold{k}" for k in (0, 1)]
    more = ("--unseen", "chord", "--audio", corpus, "--robustness-clips", 1)
    done = command("training", "evaluate", *runs, leaky, *options, "--out", out, *more)
    assert done.status == 0, done.err
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


def test_level_changes_no_answer(everything: Path) -> None:
    """The network hears no level; at -35 dB the rounding of 16 bits is still far below these sounds."""
    found = json.loads((everything / "evaluation.json").read_text())["robustness"]
    conditions = {row["name"]: row for row in found["conditions"]}

    assert found["clips"] == 4
    assert {"clean", "low-pass 4 kHz", "MP3 32 kb/s", "OPUS 32 kb/s", "tempo +4%"} < set(conditions)
    for name in ("clean", "level -20 dB"):
        assert conditions[name]["difference"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert all(row["clips"] == 3 for row in conditions.values())
    assert found["without_speech_over"] == 3  # the set has no speech


def test_leaky_run_stands_beside_the_honest_ones(everything: Path, evaluated: Path) -> None:
    figures = json.loads((everything / "evaluation.json").read_text())
    alone = json.loads((evaluated / "evaluation.json").read_text())

    assert not figures["leaky"]
    assert figures["accuracy"] == alone["accuracy"]
    assert "LEAKY" in figures["leaky_figures"]["accuracy"]["of"]
    assert "LEAKY: clips of 3 genres" in (everything / "report.html").read_text()
    assert "LEAKY: clips of 3 genres" in (everything / "summary.md").read_text()


def test_genre_that_was_left_out_is_asked_about(everything: Path) -> None:
    (found,) = json.loads((everything / "evaluation.json").read_text())["unseen"]

    assert found["genre"] == "chord"
    assert found["clips"] == 12
    assert sum(said["clips"] for said in found["said"]) == 12
    assert "chord" not in {said["answer"] for said in found["said"]}
    assert 0.0 <= found["auroc"] <= 1.0


def test_missing_audio_is_told(run_of_fold: Path, prepared: Path, tmp_path: Path) -> None:
    done = command(
        "training", "evaluate", run_of_fold, "--data", prepared, "--out", tmp_path, "--audio", tmp_path
    )

    assert done.status == DataError.exit_status
    assert "no such file" in done.err


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
