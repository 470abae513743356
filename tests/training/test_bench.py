"""The benchmarks of training say one JSON object, last."""

import json
from pathlib import Path

import pytest

from bench import teacher, training
from bench.musicnn import musicnn

pytestmark = [pytest.mark.training, pytest.mark.slow]


def test_model_is_measured_beside_a_teacher(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "tagger.onnx").write_bytes(musicnn())

    assert teacher.main(["--teacher", str(tmp_path / "tagger.onnx"), "--rounds", "2"]) == 0

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["pruned"] == "tagger.onnx"
    assert figures["unpruned"] == "same layers, random weights"
    assert figures["ratio_unpruned"] == pytest.approx(figures["unpruned_ms"] / figures["ours_ms"], rel=0.05)


def test_missing_teacher_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.delenv("GENRECAST_TEACHER", raising=False)

    assert teacher.main([]) == teacher.MISSING
    assert "--teacher" in capsys.readouterr().err


def test_file_that_is_no_model_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "text.onnx").write_text("no model")

    assert teacher.main(["--teacher", str(tmp_path / "text.onnx")]) == teacher.MISSING
    assert "refuses" in capsys.readouterr().err


def test_loader_is_measured(capsys: pytest.CaptureFixture) -> None:
    assert training.main(["--recipe", "smoke", "--steps", "2"]) == 0

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 < figures["share_computing"] <= 1
    assert figures["ratio_to_random_tensors"] > 0
