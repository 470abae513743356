"""A model file in eight bits is smaller, answers as the one in floats, and is refused where it doesn't."""

import importlib.resources
from pathlib import Path

import numpy as np
import onnx
import pytest

from streamer.model.session import Model
from tests.training.fixtures import command

pytestmark = [pytest.mark.training, pytest.mark.slow]

FLOAT = Path(str(importlib.resources.files("streamer.model"))) / "default.onnx"


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("quantized") / "small.onnx"
    done = command("export", "quantize", FLOAT, out)
    assert done.status == 0, done.err
    assert "of 16 windows; probabilities differ" in done.out
    return out


def test_it_is_smaller_and_in_eight_bits(quantized: Path) -> None:
    kinds = [node.op_type for node in onnx.load(quantized).graph.node]

    assert quantized.stat().st_size < FLOAT.stat().st_size / 3
    assert "QuantizeLinear" in kinds
    assert kinds.count("Conv") == [node.op_type for node in onnx.load(FLOAT).graph.node].count("Conv")


def test_its_contract_is_the_same_but_for_the_probe_and_whose_accuracy_it_is(quantized: Path) -> None:
    before, after = Model.load(FLOAT).contract, Model.load(quantized).contract

    assert (after.labels, after.front_end, after.decision) == (
        before.labels,
        before.front_end,
        before.decision,
    )
    assert after.probe.seed == before.probe.seed
    assert after.probe.tolerance > before.probe.tolerance
    assert after.accuracy.value == before.accuracy.value
    assert after.accuracy.of.endswith("before it was quantised")


def test_it_may_still_be_cut(quantized: Path) -> None:
    model = Model.load(quantized, provider="cpu")
    frames = np.random.default_rng(0).normal(-2, 3, (2, 190, 96)).astype(np.float32)

    given = frames
    for stage in model.stages:
        whole, half = stage.run(given), stage.steps // 2
        parts = [stage.run(stage.part(given, at, half)) for at in (0, half)]
        np.testing.assert_allclose(np.concatenate(parts, axis=2), whole, atol=1e-4 * np.abs(whole).max())
        given = whole

    assert [(stage.stride, stage.context, stage.steps) for stage in model.stages] == [(4, 30, 40), (1, 6, 34)]


def test_one_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    done = command("export", "quantize", FLOAT, tmp_path / "small.onnx", "--agreement", 1.1)

    assert done.status == 24, done
    assert "of 16 windows the label" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "small.onnx").exists()


def test_what_is_no_model_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")

    done = command("export", "quantize", tmp_path / "text.onnx", tmp_path / "small.onnx")

    assert done.status == 4, done
    assert "text.onnx" in done.err
