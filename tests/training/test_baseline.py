"""Classical classifiers on the network's own folds, and a teacher with a linear head."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main
from training.baseline_plots import plot_importance
from training.baselines import clip_features
from training.classifiers import KINDS, fit_kind
from training.errors import DataError
from training.importance import Importances
from training.soft_labels import SoftLabels, write_soft_labels
from training.splits import make_split
from training.store import PreparedSet

pytestmark = [pytest.mark.training, pytest.mark.slow]

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def soft_labels(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher that knows everything, two windows a clip."""
    opened = PreparedSet(prepared)
    targets = np.array([opened.labels.index(clip.label) for clip in opened.clips]).repeat(2)
    known = SoftLabels(
        paths=[clip.id for clip in opened.clips],
        clip=np.arange(len(opened.clips)).repeat(2),
        start_s=np.tile([0.0, 3.0], len(opened.clips)),
        embedding=np.eye(4, dtype=np.float32)[targets],
        tags=np.zeros((len(targets), 0), np.float32),
        tag_names=[],
    )
    path = tmp_path_factory.mktemp("teacher") / "soft_labels.npz"
    write_soft_labels(path, known)
    return path


def baseline(prepared: Path, out: Path, *words: object) -> int:
    options = ("--recipe", "smoke", "--data", prepared, "--out", out, "--folds", 2)
    return main(["baseline", *map(str, (*options, *words))])


@pytest.fixture(scope="module")
def asked(prepared: Path, soft_labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("baselines")
    assert baseline(prepared, out, "--models", "majority,svm,teacher", "--labels", soft_labels) == 0
    return out


def test_baselines_are_asked_about_every_clip_once(asked: Path) -> None:
    models = json.loads((asked / "baselines.json").read_text())["models"]

    assert list(models) == ["majority", "svm", "teacher"]
    for name, model in models.items():
        assert np.sum(model["confusion"], axis=1).tolist() == [12, 12, 12, 12], name
        accuracy = model["accuracy"]
        assert accuracy["low"] <= accuracy["value"] <= accuracy["high"], name


def test_figures_are_over_the_genres(asked: Path) -> None:
    figures = json.loads((asked / "baselines.json").read_text())
    genres = [i for i, label in enumerate(figures["labels"]) if label != "noise"]

    for name, model in figures["models"].items():
        counts = np.array(model["confusion"])
        assert model["accuracy"]["value"] == pytest.approx(counts.diagonal()[genres].sum() / 36), name


def test_majority_says_one_genre_and_the_others_learn(asked: Path) -> None:
    models = json.loads((asked / "baselines.json").read_text())["models"]

    assert models["majority"]["accuracy"]["value"] == pytest.approx(1 / 3, abs=0.01)
    assert models["svm"]["accuracy"]["value"] > 0.8
    assert models["teacher"]["accuracy"]["value"] == 1.0
    assert models["svm"]["chosen"][0].keys() == {"split_seed", "C", "gamma"}
    assert (asked / "train-test.png").read_bytes().startswith(PNG)


def test_forest_names_what_it_lives_on(prepared: Path, tmp_path: Path) -> None:
    opened = PreparedSet(prepared)
    columns, rows = clip_features(opened)
    targets = np.array([opened.labels.index(clip.label) for clip in opened.clips])
    split = make_split(opened.clips, folds=2, fold=0, seed=1)
    small = replace(
        KINDS["forest"],
        build=lambda seed: KINDS["forest"].build(seed).set_params(n_estimators=30),
        grid={"min_samples_leaf": [1]},
    )

    taught = [opened.clips[i] for i in split.train]
    fitted = fit_kind(small, rows[split.train], targets[split.train], taught, seed=1)
    importances = Importances(columns)
    importances.add(fitted.classifier, rows[split.test], targets[split.test], seed=1)

    assert (fitted.classifier.predict(rows[split.test]) == targets[split.test]).mean() > 0.8
    figures = importances.figures()
    assert figures is not None
    means = [feature["mean"] for feature in figures["features"]]
    assert means == sorted(means, reverse=True)
    assert sum(means) == pytest.approx(1.0)
    plot_importance(figures, tmp_path / "importance.png")
    assert (tmp_path / "importance.png").read_bytes().startswith(PNG)


def test_seeds_of_folds_are_averaged(prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert baseline(prepared, tmp_path, "--models", "linear", "--split-seeds", "1,2") == 0

    linear = json.loads((tmp_path / "baselines.json").read_text())["models"]["linear"]
    assert linear["accuracy"]["value"] == pytest.approx(np.mean([*linear["accuracy_by_split_seed"].values()]))
    assert np.sum(linear["confusion"]) == 2 * 48
    assert "3 genres, 2 group-disjoint folds, split seeds 1, 2" in capsys.readouterr().out


def test_boosting_learns_a_fold(prepared: Path) -> None:
    clips = PreparedSet(prepared).clips * 4  # a leaf wants twenty
    targets = np.array([clip.label == "chord" for clip in clips]).astype(int)
    rows = targets[:, None] + np.random.default_rng(1).normal(0, 0.2, (len(clips), 20))
    small = replace(KINDS["boosting"], grid={"max_leaf_nodes": [4]})

    fitted = fit_kind(small, rows, targets, clips, seed=1)

    assert (fitted.classifier.predict(rows) == targets).mean() > 0.9


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--models", "forrest"), "'forrest'"), (("--models", "teacher"), "needs soft labels")],
)
def test_what_can_not_be_asked_is_told(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture, words: tuple, said: str
) -> None:
    assert baseline(prepared, tmp_path, *words) == DataError.exit_status
    assert said in capsys.readouterr().err


def test_teacher_must_know_every_clip(
    prepared: Path, soft_labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with np.load(soft_labels, allow_pickle=False) as arrays:
        kept = {key: arrays[key] for key in arrays.files}
    kept["paths"][3] = "another.wav"
    np.savez(tmp_path / "some.npz", **kept)

    status = baseline(prepared, tmp_path, "--models", "teacher", "--labels", tmp_path / "some.npz")

    assert status == DataError.exit_status
    assert "say nothing of 1 clips" in capsys.readouterr().err
