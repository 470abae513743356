"""What a teacher says reaches the student, and never of what is held out."""

from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.training.fixtures import LABELS, ROOT, command
from training import checkpoint
from training.batches import TaughtBatches
from training.errors import DataError, RecipeError, SplitError
from training.recipe import read_recipe
from training.soft_labels import SoftLabels, read_soft_labels, write_soft_labels
from training.store import Index, PreparedSet
from training.teacher import FRONT_END, OUTPUTS, Teacher
from training.teaching import TeachingSet, clip_of

pytestmark = [pytest.mark.training, pytest.mark.slow]


def tiny_teacher(path: Path) -> Path:
    """Write an ONNX file of a teacher's form whose outputs are random mixtures of the mean frame."""
    random = np.random.default_rng(1)
    sizes = dict(zip(OUTPUTS, (50, 200, 256, 256), strict=True))
    nodes = [helper.make_node("ReduceMean", ["x", "axes"], ["mean"], keepdims=0)]
    weights = [numpy_helper.from_array(np.array([1], np.int64), "axes")]
    for name, size in sizes.items():
        weights.append(
            numpy_helper.from_array(random.normal(0, 0.2, (96, size)).astype(np.float32), f"w_{name}")
        )
        raw = f"raw_{name}" if name == "tags" else name
        nodes.append(helper.make_node("MatMul", ["mean", f"w_{name}"], [raw]))
    nodes.append(helper.make_node("Sigmoid", ["raw_tags"], ["tags"]))
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 187, 96])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size]) for name, size in sizes.items()],
        weights,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_teacher(tmp_path_factory.mktemp("teacher") / "teacher.onnx")


@pytest.fixture(scope="module")
def taught(corpus: Path, teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two views of each clip of the corpus, made by the command."""
    out = tmp_path_factory.mktemp("taught")
    words = ("--manifest", corpus / "manifest.csv", "--teacher", teacher, "--out", out, "--views", 2)
    done = command("training", "teach", "--recipe", "smoke", *words)
    assert done.status == 0, done.err
    assert "96 views" in done.out
    assert "{'not-audio': 1, 'source-not-found': 1, 'too-short': 1}" in done.out
    return out


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke recipe with a teacher, a running mean and an early stop."""
    text = (ROOT / "training/recipes/smoke.toml").read_text()
    path = tmp_path_factory.mktemp("recipe") / "taught.toml"
    text = text.replace("steps = 80", "steps = 40\nema = 0.9\npatience = 9").replace(
        "check_every = 40", "check_every = 10"
    )
    path.write_text(text + "\n[distil]\nlabelled = 1.0\nrefit = 0.5\n")
    return path


def fit(recipe: Path, prepared: Path, taught: Path, out: Path, *words: object):
    where = ("--recipe", recipe, "--data", prepared, "--teach", taught, "--out", out, "--folds", 2)
    return command("training", "fit", *where, *words)


def test_view_0_is_the_clip_as_it_is(prepared: Path, taught: Path) -> None:
    teaching = TeachingSet(taught)
    clean = next(clip for clip in teaching.clips if clip.id == "audio/chord-0-0.wav#0")

    mine = teaching.frames(clean)
    plain = PreparedSet(prepared)
    theirs = plain.frames(next(clip for clip in plain.clips if clip.id == "audio/chord-0-0.wav"))

    count = min(len(mine), len(theirs))
    assert np.median(np.abs(mine[:count] - theirs[:count])) < 0.05


def test_making_a_set_again_makes_nothing_anew(corpus: Path, teacher: Path, taught: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (taught / "clips").iterdir()}
    labels = (taught / "labels.npz").read_bytes()

    words = ("--manifest", corpus / "manifest.csv", "--teacher", teacher, "--out", taught, "--views", 2)
    done = command("training", "teach", "--recipe", "smoke", *words)

    assert done.status == 0, done.err
    assert {path: path.stat().st_mtime_ns for path in (taught / "clips").iterdir()} == before
    assert len((taught / "labels.npz").read_bytes()) == len(labels)


def test_teacher_hears_a_clip_at_its_own_front_end(teacher: Path) -> None:
    samples = np.random.default_rng(1).normal(0, 0.1, 16_000 * 7).astype(np.float32)

    start_s, embedding, tags = Teacher(teacher).ask(samples, hop_s=1.5)

    assert start_s[0] == 0.0
    assert np.diff(start_s) == pytest.approx(1.5, abs=FRONT_END.frame_s)
    assert embedding.shape == (len(start_s), 712)
    assert tags.shape == (len(start_s), 50)
    assert ((tags >= 0) & (tags <= 1)).all()


def test_model_that_is_no_teacher_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"nothing")

    with pytest.raises(DataError, match="no teacher"):
        Teacher(tmp_path / "x.onnx")


def test_held_out_groups_teach_nothing_not_even_mixed_in(taught: Path, recipe: Path) -> None:
    teaching = TeachingSet(taught)
    groups = {clip.group for clip in teaching.clips if not clip.group.endswith("-0")}
    read = read_recipe(str(recipe))
    assert read.distil

    batches = TaughtBatches([teaching], {}, groups, read, read.distil, list(LABELS))

    own = [clip for clip in teaching.clips if clip.group in groups]
    allowed = [clip for clip in own if (clip.also or clip.group) in groups]
    assert batches.used == {taught.name: len(allowed)}
    assert len(allowed) < len(own)


def test_taught_run_learns_says_so_and_resumes_to_the_bit(
    prepared: Path, taught: Path, recipe: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert fit(recipe, prepared, taught, whole, "--fold", 0, "--tensorboard").status == 0

    assert fit(recipe, prepared, taught, parts, "--fold", 0, "--stop-after", 15).status == 0
    done = fit(recipe, prepared, taught, parts, "--fold", 0, "--resume")

    assert done.status == 0, done.err
    (one, tensors), (two, resumed) = checkpoint.load(whole), checkpoint.load(parts)
    assert one.curves[-1].loss < one.curves[0].loss
    assert [p for p in two.curves if p.step % 10 == 0][-1].held_out_nll == one.curves[-1].held_out_nll
    assert tensors.keys() == resumed.keys()
    assert all(np.array_equal(tensors[key], resumed[key]) for key in tensors if not key.startswith("best."))
    assert 0 < one.taught_by[taught.name] < 96
    assert one.best_step > 0
    assert list((whole / "tensorboard").iterdir())


def test_run_that_was_taught_by_a_held_out_group_is_not_begun_from(
    prepared: Path, taught: Path, recipe: Path, tmp_path: Path
) -> None:
    first = tmp_path / "first"
    assert fit(recipe, prepared, taught, first, "--fold", 0, "--stop-after", 1).status == 0

    done = fit(recipe, prepared, taught, tmp_path / "second", "--fold", 1, "--begin-from", first)
    same = fit(
        recipe, prepared, taught, tmp_path / "third", "--fold", 0, "--begin-from", first, "--stop-after", 1
    )

    assert done.status == SplitError.exit_status
    assert "is held out here and taught" in done.err
    assert same.status == 0, same.err
    assert checkpoint.load(tmp_path / "third")[0].begun_from == "first"


def test_teaching_sets_and_recipe_must_go_together(prepared: Path, taught: Path, tmp_path: Path) -> None:
    words = ("--recipe", "smoke", "--data", prepared, "--out", tmp_path / "run")

    done = command("training", "fit", *words, "--teach", taught)

    assert done.status == RecipeError.exit_status
    assert "has no [distil] table" in done.err


def labels(n: int = 4) -> SoftLabels:
    return SoftLabels(
        paths=["a", "b"],
        clip=np.array([0, 0, 1, 1][:n]),
        start_s=np.array([0.0, 3.0, 0.0, 3.0][:n]),
        embedding=np.ones((n, 5), np.float32),
        tags=np.full((n, 2), 0.5, np.float32),
        tag_names=["slow", "<b>"],
    )


def test_soft_labels_come_back_as_they_were_written(tmp_path: Path) -> None:
    write_soft_labels(tmp_path / "l.npz", labels())

    read = read_soft_labels(tmp_path / "l.npz")

    assert (read.paths, read.tag_names) == (["a", "b"], ["slow", "<b>"])
    np.testing.assert_array_equal(read.tags, labels().tags)


@pytest.mark.parametrize("key", ["clip", "start_s", "embedding", "tags"])
def test_soft_labels_that_do_not_fit_are_refused_by_name(tmp_path: Path, key: str) -> None:
    write_soft_labels(tmp_path / "l.npz", labels())
    with np.load(tmp_path / "l.npz", allow_pickle=False) as arrays:
        found = dict(arrays)
    found[key] = found[key][:0]
    np.savez(tmp_path / "l.npz", **found)

    with pytest.raises(DataError, match=f"'{key}'"):
        read_soft_labels(tmp_path / "l.npz")


def test_clip_without_soft_label_is_refused(prepared: Path, tmp_path: Path) -> None:
    index = msgspec.json.decode((prepared / "index.json").read_bytes(), type=Index)
    (tmp_path / "index.json").write_bytes(msgspec.json.encode(index))
    write_soft_labels(tmp_path / "labels.npz", labels())

    with pytest.raises(DataError, match="48 of 48 clips have no soft label"):
        TeachingSet(tmp_path)


def test_groups_that_duplicates_merged_are_held_out_together(taught: Path, recipe: Path) -> None:
    teaching = TeachingSet(taught)
    merged = {clip_of(clip): "one" for clip in teaching.clips if clip.group in {"chord-0", "chord-1"}}
    groups = {clip.group for clip in teaching.clips} - {"chord-0"}  # "one" is held out
    read = read_recipe(str(recipe))
    assert read.distil

    batches = TaughtBatches([teaching], merged, groups, read, read.distil, list(LABELS))

    out = {"chord-0", "chord-1"}
    allowed = [clip for clip in teaching.clips if clip.group not in out and clip.also not in out]
    assert batches.used == {taught.name: len(allowed)}
