"""A recipe becomes a run: resumable, readable, without pickle, and honest about what it held out."""

import ast
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from tests.training.fixtures import ROOT, command
from training import checkpoint
from training.errors import RecipeError, RunError
from training.predict import fit_temperature, softmax
from training.recipe import read_recipe

pytestmark = [pytest.mark.training, pytest.mark.slow]


def smoke(prepared: Path, out: Path, *words: object):
    return command(
        "training", "fit", "--recipe", "smoke", "--data", prepared, "--out", out, "--folds", 2, *words
    )


def test_run_says_what_made_it(run_of_fold: Path) -> None:
    state = json.loads((run_of_fold / "run.json").read_text())

    assert state["recipe"]["name"] == "smoke"
    assert state["seed"] == 1
    assert state["commit"]
    assert state["labels"] == ["beat", "chord", "noise", "sweep"]
    assert state["recipe"]["front_end"]["hop_length"] == 400
    assert [point["step"] for point in state["curves"]] == [40, 80]
    assert state["temperature"] != 1.0
    assert state["held_out"]
    assert state["dev"]


def test_training_learns(run_of_fold: Path) -> None:
    state, _ = checkpoint.load(run_of_fold)

    assert state.curves[-1].loss < state.curves[0].loss
    assert (state.curves[-1].held_out_accuracy or 0) > 0.6, state.curves


def test_interrupted_and_resumed_equals_uninterrupted(
    prepared: Path, tmp_path: Path, run_of_fold: Path
) -> None:
    assert smoke(prepared, tmp_path, "--fold", 0, "--stop-after", 40).status == 0
    assert not checkpoint.load(tmp_path)[0].done

    done = smoke(prepared, tmp_path, "--fold", 0, "--resume")

    assert done.status == 0, done.err
    (state, tensors), (whole, expected) = checkpoint.load(tmp_path), checkpoint.load(run_of_fold)
    assert state.curves == whole.curves
    assert all(torch.equal(tensors[key], expected[key]) for key in expected)


def test_run_is_not_overwritten(prepared: Path, run_of_fold: Path) -> None:
    done = smoke(prepared, run_of_fold, "--fold", 0)

    assert done.status == RunError.exit_status
    assert "holds a run already" in done.err


def test_another_run_is_not_continued(prepared: Path, run_of_fold: Path) -> None:
    done = smoke(prepared, run_of_fold, "--fold", 1, "--resume")

    assert done.status == RunError.exit_status
    assert "another fold" in done.err


def test_set_of_another_front_end_is_refused(prepared: Path, tmp_path: Path) -> None:
    done = command("training", "fit", "--recipe", "base", "--data", prepared, "--out", tmp_path / "run")

    assert done.status == RunError.exit_status
    assert "another front end" in done.err


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("steps = 80", "steps = 80\nstepps = 90", "stepps"),
        ("n_mels = 40", "n_mels = 40\nn_melz = 4", "n_melz"),
        ("batch = 32", "batch = 'many'", "batch"),
        ("rate = 0.05", "rate = -1.0", "fit.rate"),
    ],
)
def test_recipe_with_a_mistake_is_refused_by_name(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (ROOT / "training/recipes/smoke.toml").read_text()
    (tmp_path / "r.toml").write_text(text.replace(old, new))

    with pytest.raises(RecipeError, match=said):
        read_recipe(str(tmp_path / "r.toml"))


def test_unknown_recipe_names_the_known_ones() -> None:
    with pytest.raises(RecipeError) as caught:
        read_recipe("bass")

    assert "base, plain, smoke" in caught.value.remedy


def test_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / checkpoint.FILE).write_bytes(b"\x80\x04garbage")

    with pytest.raises(RunError, match="no checkpoint"):
        checkpoint.load(tmp_path)


def test_state_survives_json(run_of_fold: Path) -> None:
    state, _ = checkpoint.load(run_of_fold)

    assert msgspec.json.decode(msgspec.json.encode(state), type=checkpoint.RunState) == state


def test_temperature_finds_what_was_done_to_the_logits() -> None:
    random = np.random.default_rng(1)
    logits = random.normal(0, 2, (20_000, 5)).astype(np.float32)
    targets = np.array([random.choice(5, p=p) for p in softmax(logits)])

    assert fit_temperature(logits * 3, targets) == pytest.approx(3, rel=0.05)


def test_nothing_here_reads_or_writes_pickles() -> None:
    for path in [*(ROOT / "training").rglob("*.py"), *(ROOT / "export").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & {"pickle", "joblib", "dill", "shelve"}, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"torch.load", "torch.save"}, path
                if called == "np.load":
                    assert "allow_pickle=False" in ast.unparse(node), path


def test_help_without_a_command() -> None:
    done = command("training")

    assert done.status == 0
    for word in ("prepare", "fit", "evaluate"):
        assert word in done.out
