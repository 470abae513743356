"""A checkpoint becomes a model file that the streamer accepts and that answers as torch does."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from streamer.model.session import Model
from tests.training.fixtures import command
from training.errors import RunError

pytestmark = [pytest.mark.training, pytest.mark.slow]


@pytest.fixture(scope="module")
def model(run_of_fold: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of fold 0, evaluated and exported by the commands."""
    folder = tmp_path_factory.mktemp("export")
    done = command("training", "evaluate", run_of_fold, "--data", prepared, "--out", folder)
    assert done.status == 0, done.err
    out = folder / "smoke.onnx"
    done = command("export", "convert", run_of_fold, out, "--evaluation", folder / "evaluation.json")
    assert done.status == 0, done.err
    return out


def test_streamer_accepts_it_and_its_probe(model: Path) -> None:
    contract = Model.load(model).contract

    assert contract.labels == ("beat", "chord", "noise", "sweep")
    assert contract.not_music == ("noise",)
    assert contract.name == "smoke"
    assert contract.front_end.n_frames == 118
    evaluation = json.loads((model.parent / "evaluation.json").read_text())
    assert contract.accuracy.value == evaluation["accuracy"]["value"]


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_batch_is_free_and_probabilities_sum_to_one(model: Path, batch: int) -> None:
    frames = np.random.default_rng(1).normal(-5, 3, (batch, 118, 40)).astype(np.float32)

    answer = Model.load(model).infer(frames)

    assert answer.shape == (batch, 4)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)


def test_graph_is_small_and_tells_nothing_of_this_machine(model: Path) -> None:
    proto = onnx.load(model)
    kinds = {node.op_type for node in proto.graph.node}

    assert "BatchNormalization" not in kinds
    assert [opset.domain for opset in proto.opset_import] == [""]
    assert b"/work/" not in model.read_bytes()
    assert b"site-packages" not in model.read_bytes()


def test_graph_may_be_cut_and_takes_any_number_of_frames(model: Path) -> None:
    opened = Model.load(model)
    frames = np.random.default_rng(2).normal(-5, 3, (2, 118, 40)).astype(np.float32)

    given = frames
    for stage in opened.stages:
        made = stage.run(given)
        last = stage.run(stage.part(given, stage.steps - 3, 3))
        assert made.shape[2] == stage.steps
        np.testing.assert_allclose(last, made[:, :, -3:], atol=1e-5 * np.abs(made).max())
        given = made

    assert [stage.stride for stage in opened.stages] == [4, 1]
    assert "Shape" not in {node.op_type for node in onnx.load(model).graph.node}


def test_verify_prints_the_largest_difference(run_of_fold: Path, prepared: Path, model: Path) -> None:
    done = command("export", "verify", run_of_fold, model, "--windows", prepared)

    assert done.status == 0, done.err
    assert "largest difference" in done.out
    assert float(done.out.split()[2]) < 1e-4


def test_verify_needs_no_data(run_of_fold: Path, model: Path) -> None:
    assert command("export", "verify", run_of_fold, model).status == 0


def test_verify_refuses_a_model_whose_weights_differ(
    run_of_fold: Path, prepared: Path, model: Path, tmp_path: Path
) -> None:
    proto = onnx.load(model)
    largest = max(proto.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights = np.frombuffer(largest.raw_data, np.float32).copy()
    weights *= -1.0  # sure answers hide a smaller change
    largest.raw_data = weights.tobytes()
    onnx.save(proto, tmp_path / "other.onnx")

    done = command("export", "verify", run_of_fold, tmp_path / "other.onnx", "--windows", prepared)

    assert done.status == 24, done
    assert "differs" in done.err
    assert "Traceback" not in done.err


def test_unfinished_run_is_not_exported(prepared: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command("training", "fit", "--recipe", "smoke", "--data", prepared, "--out", run, "--stop-after", 1)

    done = command("export", "convert", run, tmp_path / "m.onnx")

    assert done.status == RunError.exit_status
    assert "stands at step 1 of 80" in done.err
    assert not (tmp_path / "m.onnx").exists()


def test_help_without_a_command() -> None:
    done = command("export")

    assert done.status == 0
    assert "convert" in done.out
    assert "verify" in done.out
    assert "quantize" in done.out
