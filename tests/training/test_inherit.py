"""A network begins as its teacher, and the teacher with a head is a model like any other."""

from pathlib import Path

import msgspec
import numpy as np
import onnxruntime as ort
import pytest
import torch

from bench.musicnn import musicnn
from streamer.model.session import Model
from tests.training.fixtures import ROOT, command, prepare
from training.errors import DataError
from training.inherit import NEIGHBOURS, _shared_patterns, _spread, inherit
from training.net import COMPRESSION, GenreNet
from training.recipe import NetRecipe
from training.tagger import TaggerNet, read_tagger

pytestmark = pytest.mark.training

FILTERS = ((6, 7, 38), (4, 7, 67), (2, 128, 1), (3, 64, 1), (5, 32, 1))
TAGGER = NetRecipe(filters=FILTERS, stride=1, layers=3, channels=64, hidden=200, tags=50, teacher=True)
STUDENT = NetRecipe(
    filters=(FILTERS[0], FILTERS[1], FILTERS[4]), patterns=7, stride=4, layers=3, channels=72, hidden=16
)  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "musicnn.onnx"
    path.write_bytes(musicnn(FILTERS))
    return path


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    return 3.0 * torch.randn(3, 190, 96, generator=torch.Generator().manual_seed(1)) - 4.0


@pytest.fixture(scope="module")
def tagger(teacher: Path) -> TaggerNet:
    net = TaggerNet(TAGGER, n_labels=4)
    read_tagger(net, teacher)
    return net


def test_tagger_says_what_the_file_says(teacher: Path, tagger: TaggerNet, frames: torch.Tensor) -> None:
    with torch.inference_mode():
        mine = tagger.says(frames).numpy()

    session = ort.InferenceSession(teacher, providers=["CPUExecutionProvider"])
    heard = (np.log1p(np.exp(frames[:, 1:188].numpy() + COMPRESSION)) / np.log(10)).astype(np.float32)
    outputs = session.run(["penultimate", "mean_pool", "max_pool", "tags"], {"x": heard})
    np.testing.assert_allclose(mine, np.concatenate(outputs, axis=1), atol=2e-3)


def test_student_finds_at_its_steps_what_its_teacher_finds(
    teacher: Path, tagger: TaggerNet, frames: torch.Tensor
) -> None:
    net = GenreNet(STUDENT, n_labels=4)
    inherit(net, STUDENT, teacher)
    net.eval()

    with torch.inference_mode():
        mine = net.trunk.norm(net.found(frames))
        x = tagger.norm(torch.log1p(torch.exp(frames + COMPRESSION)).unsqueeze(1) / np.log(10.0))
        theirs = []
        for kind in (0, 1, 4):
            conv, norm = tagger.filters[kind], tagger.filter_norms[kind]
            answers = torch.relu(conv(x))  # unpadded: its first is of the first `kernel_size` frames
            before = (32 - conv.kernel_size[0]) // 2
            theirs.append(
                norm(answers.flatten(2)).view(answers.shape).amax(dim=3)[:, :, before::4][:, :, :40]
            )

    torch.testing.assert_close(mine, torch.cat(theirs, dim=1).transpose(1, 2), atol=1e-3, rtol=1e-3)


def test_few_patterns_answer_music_more_truly_than_those_of_the_weights_alone() -> None:
    random = np.random.default_rng(1)
    picture = random.standard_normal((8, 7, 20))
    apart = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    spread = NEIGHBOURS**apart

    def error(approximation: np.ndarray) -> float:
        off = (approximation - picture).transpose(0, 2, 1).reshape(-1, 7)
        return float(np.trace(off @ spread @ off.T))

    patterns, (part,) = _shared_patterns([picture], 3)
    rows = picture.transpose(0, 2, 1).reshape(-1, 7)
    left, sizes, right = np.linalg.svd(rows, full_matrices=False)
    plain = (left[:, :3] * sizes[:3] @ right[:3]).reshape(8, 20, 7).transpose(0, 2, 1)

    assert error(np.einsum("pt,cpb->ctb", patterns, part)) < 0.9 * error(plain)


def test_all_patterns_are_the_filters_themselves() -> None:
    pictures = [np.random.default_rng(i).standard_normal((3, 7, width)) for i, width in enumerate((5, 9))]

    patterns, parts = _shared_patterns(pictures, 7)

    for picture, part in zip(pictures, parts, strict=True):
        np.testing.assert_allclose(np.einsum("pt,cpb->ctb", patterns, part), picture, atol=1e-9)


def test_a_steady_sound_goes_through_a_coarse_layer_as_through_the_fine_one() -> None:
    weight = np.random.default_rng(1).standard_normal((7, 5, 4)).astype(np.float32)

    np.testing.assert_allclose(_spread(weight, 4).sum(axis=0), weight.sum(axis=0), atol=1e-5)


def test_what_has_other_sizes_is_refused(teacher: Path, tmp_path: Path) -> None:
    other = msgspec.structs.replace(STUDENT, filters=((9, 7, 38), (5, 32, 1)))
    (tmp_path / "x.onnx").write_bytes(b"nothing")

    with pytest.raises(DataError, match="no 9 filters of 7 frames and 38 bands"):
        inherit(GenreNet(other, n_labels=4), other, teacher)
    for path in (tmp_path / "x.onnx", tmp_path / "none.onnx"):
        with pytest.raises(DataError, match="no teacher"):
            inherit(GenreNet(STUDENT, n_labels=4), STUDENT, path)
        with pytest.raises(DataError, match="no teacher"):
            read_tagger(TaggerNet(TAGGER, n_labels=4), path)


@pytest.mark.slow
def test_teacher_with_a_head_goes_the_whole_way_to_a_model_file(
    corpus: Path, teacher: Path, tmp_path: Path
) -> None:
    recipe, data, taught, run = (tmp_path / name for name in ("small.toml", "set", "taught", "run"))
    text = (ROOT / "training/recipes/accurate.toml").read_text()
    whole = "[[23, 7, 38], [14, 7, 67], [3, 128, 1], [7, 64, 1], [17, 32, 1]]"
    assert whole in text
    recipe.write_text(text.replace(whole, str([list(size) for size in FILTERS])))
    manifest, file = corpus / "manifest.csv", tmp_path / "small.onnx"
    assert prepare(manifest, data, recipe).status == 0
    words = ("--recipe", recipe, "--manifest", manifest, "--teacher", teacher, "--views", 1, "--out", taught)
    assert command("training", "teach", *words).status == 0
    fit = ("--recipe", recipe, "--data", data, "--teach", taught, "--folds", 2, "--fold", 0, "--out", run)

    without = command("training", "fit", *fit)
    done = command("training", "fit", *fit, "--begin-from", teacher)

    assert (without.status, "--begin-from" in without.err) == (23, True)
    assert done.status == 0, done.err
    out = command("export", "convert", run, file, "--name", "small")
    assert out.status == 0, out.err
    verified = command("export", "verify", run, file, "--windows", data)
    assert verified.status == 0, verified.err
    assert Model.load(file).contract.front_end.n_frames == 190
    evaluated = command("training", "evaluate", run, "--data", data, "--out", tmp_path / "evaluation")
    assert evaluated.status == 0, evaluated.err
