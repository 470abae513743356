"""The published sets' own layouts, from folder to model file, by the commands that a user gives."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.fixtures import Outcome, command
from tests.training.trees import fma_tracks, write_tracks
from training.errors import SplitError

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(300)]  # ten commands in all


def done(*words: object) -> Outcome:
    outcome = command(*words)
    assert outcome.status == 0, outcome.err
    return outcome


def prepare(kind: str, tree: Path, out: Path) -> tuple[Outcome, dict[str, Any]]:
    outcome = done("training", "prepare", "--recipe", "smoke", f"--{kind}", tree, "--out", out, "--jobs", 2)
    return outcome, json.loads((out / "report.json").read_text())


def from_set_to_model(data: Path, out: Path, recipe: Path) -> dict[str, Any]:
    """Fit and evaluate on the official split, export and verify; give the figures."""
    run, model = out / "run", out / "model.onnx"
    words = ("--recipe", recipe, "--data", data, "--split", "official")
    done("training", "fit", *words, "--out", run)
    done("training", "evaluate", run, *words, "--out", out)
    said = done("export", "convert", run, model, "--evaluation", out / "evaluation.json").out
    assert "group-disjoint split official" in said
    assert "largest difference" in done("export", "verify", run, model).out
    figures: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
    return figures


def test_fma_tree_becomes_a_model(fma_tree: Path, short_recipe: Path, tmp_path: Path) -> None:
    outcome, report = prepare("fma", fma_tree, tmp_path / "set")

    assert (report["listed"], report["usable"]) == (33, 28)
    assert report["by_label"] == {"Electronic": 9, "Folk": 10, "Rock": 9}
    assert report["by_split"] == {"test": 6, "training": 16, "validation": 6}
    broken = report["by_reason"].keys() - {"known-bad", "no-genre", "several-genres", "source-not-found"}
    assert broken in ({"not-audio"}, {"broken-audio"}, {"empty"})
    assert set(report["by_reason"].values()) == {1}
    assert report["groups"] == 13
    assert not report["duplicates"]
    for said in ("28 of 33 clips usable", "5 left out", "[several-genres] 006/006001.mp3", "training 16"):
        assert said in outcome.out

    figures = from_set_to_model(tmp_path / "set", tmp_path, short_recipe)

    assert figures["clips"] == 6
    assert figures["labels"] == ["Electronic", "Folk", "Rock"]
    assert not figures["leaky"]


def test_gtzan_tree_becomes_a_model(gtzan_tree: Path, short_recipe: Path, tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    outcome, report = prepare("gtzan", gtzan_tree, tmp_path / "set")

    assert (report["listed"], report["usable"]) == (26, 25)
    assert report["by_split"] == {"": 1, "test": 6, "training": 12, "validation": 6}
    assert [item["id"] for item in report["left_out"]] == ["jazz/jazz.00054.wav"]
    assert report["left_out"][0]["reason"] in {"not-audio", "broken-audio", "empty"}
    assert "jazz.00054.wav" in outcome.out
    assert "1 clips are fault-filtered" in outcome.out

    figures = from_set_to_model(tmp_path / "set", tmp_path, short_recipe)

    assert figures["clips"] == 6
    assert figures["labels"] == ["blues", "jazz", "metal"]
    assert figures["split"] == "official"


def test_official_split_with_an_artist_on_both_sides_leaks_by_name_only(
    fma_tree: Path, short_recipe: Path, tmp_path: Path
) -> None:
    tree, out = tmp_path / "fma", tmp_path / "out"
    shutil.copytree(fma_tree, tree)
    both = [
        replace(track, artist="10") if track.number == 146 else track  # a test track by one who teaches
        for track in fma_tracks()
    ]
    write_tracks(tree / "fma_metadata/tracks.csv", both)
    prepare("fma", tree, tmp_path / "set")
    words = ("--recipe", short_recipe, "--data", tmp_path / "set", "--out", out)

    refused = command("training", "evaluate", *words, "--split", "official")
    leaky = done("training", "evaluate", *words, "--split", "leaky-official")

    assert refused.status == SplitError.exit_status
    assert "group 'fma-artist-10' is on both sides of the split: train and test" in refused.err
    assert "leaky" in refused.err
    figures = json.loads((out / "evaluation.json").read_text())
    assert figures["leaky"] is True
    for said in (figures["accuracy"]["of"], leaky.out):
        assert "LEAKY: clips of the same groups on both sides" in said
