"""The published sets' own layouts, from folder to model file, by the commands that a user gives."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.__main__ import main as export_main
from tests.training.trees import fma_tracks, write_tracks
from training.__main__ import main as training_main
from training.errors import SplitError

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(240)]


Say = Callable[..., str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `python -m room command` in this process, so that torch is loaded once; give what it said."""

    def run(room: str, *words: object, status: int = 0) -> str:
        main = {"training": training_main, "export": export_main}[room]
        ended = main([str(word) for word in words])
        out, err = capsys.readouterr()
        assert ended == status, err
        return out + err

    return run


def prepare(say: Say, kind: str, tree: Path, out: Path) -> tuple[str, dict[str, Any]]:
    said = say("training", "prepare", "--recipe", "smoke", f"--{kind}", tree, "--out", out, "--jobs", 1)
    return said, json.loads((out / "report.json").read_text())


def from_set_to_model(say: Say, data: Path, out: Path, recipe: Path) -> dict[str, Any]:
    """Fit and evaluate on the official split, ask baselines, export and verify; give the figures."""
    run, model = out / "run", out / "model.onnx"
    asked = say(
        "training", "baseline", "--data", data, "--out", out, "--models", "majority,linear", "--folds", 2
    )
    assert "majority" in asked
    assert "linear" in asked
    words = ("--recipe", recipe, "--data", data, "--split", "official")
    say("training", "fit", *words, "--out", run)
    say("training", "evaluate", run, *words, "--out", out)
    said = say("export", "convert", run, model, "--evaluation", out / "evaluation.json")
    assert "group-disjoint split official" in said
    assert "largest difference" in say("export", "verify", run, model)
    figures: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    return figures


def test_fma_tree_becomes_a_model(say: Say, fma_tree: Path, short_recipe: Path, tmp_path: Path) -> None:
    told, report = prepare(say, "fma", fma_tree, tmp_path / "set")

    assert (report["listed"], report["usable"]) == (33, 28)
    assert report["by_label"] == {"Electronic": 9, "Folk": 10, "Rock": 9}
    assert report["by_split"] == {"test": 6, "training": 16, "validation": 6}
    broken = report["by_reason"].keys() - {"known-bad", "no-genre", "several-genres", "source-not-found"}
    assert broken in ({"not-audio"}, {"broken-audio"}, {"empty"})
    assert set(report["by_reason"].values()) == {1}
    assert report["groups"] == 13
    assert not report["duplicates"]
    for said in ("28 of 33 clips usable", "5 left out", "[several-genres] 006/006001.mp3", "training 16"):
        assert said in told

    figures = from_set_to_model(say, tmp_path / "set", tmp_path, short_recipe)

    assert figures["clips"] == 6
    assert figures["labels"] == ["Electronic", "Folk", "Rock"]
    assert not figures["leaky"]


def test_gtzan_tree_becomes_a_model(say: Say, gtzan_tree: Path, short_recipe: Path, tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    told, report = prepare(say, "gtzan", gtzan_tree, tmp_path / "set")

    assert (report["listed"], report["usable"]) == (26, 25)
    assert report["by_split"] == {"": 1, "test": 6, "training": 12, "validation": 6}
    assert [item["id"] for item in report["left_out"]] == ["jazz/jazz.00054.wav"]
    assert report["left_out"][0]["reason"] in {"not-audio", "broken-audio", "empty"}
    assert "jazz.00054.wav" in told
    assert "1 clips are fault-filtered" in told

    figures = from_set_to_model(say, tmp_path / "set", tmp_path, short_recipe)

    assert figures["clips"] == 6
    assert figures["labels"] == ["blues", "jazz", "metal"]
    assert figures["split"] == "official"


def test_official_split_with_an_artist_on_both_sides_leaks_by_name_only(
    say: Say, fma_tree: Path, short_recipe: Path, tmp_path: Path
) -> None:
    tree, out = tmp_path / "fma", tmp_path / "out"
    shutil.copytree(fma_tree, tree)
    both = [
        replace(track, artist="10") if track.number == 146 else track  # a test track by one who teaches
        for track in fma_tracks()
    ]
    write_tracks(tree / "fma_metadata/tracks.csv", both)
    prepare(say, "fma", tree, tmp_path / "set")
    words = ("--recipe", short_recipe, "--data", tmp_path / "set", "--out", out)

    refused = say("training", "evaluate", *words, "--split", "official", status=SplitError.exit_status)
    leaky = say("training", "evaluate", *words, "--split", "leaky-official")

    assert "group 'fma-artist-10' is on both sides of the split: train and test" in refused
    assert "ask for a leaky split by its name" in refused
    figures = json.loads((out / "evaluation.json").read_text())
    assert figures["leaky"] is True
    for said in (figures["accuracy"]["of"], leaky):
        assert "LEAKY: clips of the same groups on both sides" in said
