"""The models that ship: what was promised of them, asked as the streamer asks."""

import importlib.resources
from pathlib import Path

import numpy as np
import pytest

from streamer.config import SHIPPED_MODELS
from streamer.contract import FrontEnd, probe_samples
from streamer.errors import ModelError
from streamer.flow import Block
from streamer.model.session import Model
from streamer.signal.front_end import FrontEndStream

GENRES = (
    "blues", "classical", "country", "disco", "electronic", "folk",
    "hiphop", "jazz", "metal", "pop", "reggae", "rock",
)  # fmt: skip


@pytest.fixture(scope="module", params=SHIPPED_MODELS)
def model(request: pytest.FixtureRequest) -> Model:
    return Model.load(request.param)


def windows(front: FrontEnd, gain: float) -> np.ndarray:
    """Give the windows of 12 s of a chord in noise at some gain."""
    samples = probe_samples(3, 12 * front.sample_rate) * np.float32(gain)
    stream = FrontEndStream(front, hop_s=0.5)
    return np.stack(
        [w.frames for w in (*stream.push(Block(samples[:, None], front.sample_rate)), *stream.flush())]
    )


def test_labels_are_the_twelve_genres_with_speech_and_noise(model: Model) -> None:
    assert model.contract.genres == GENRES
    assert set(model.contract.not_music) == {"speech", "noise"}


def test_files_are_small() -> None:
    folder = importlib.resources.files("streamer.model")
    size = sum(len((folder / f"{name}.onnx").read_bytes()) for name in SHIPPED_MODELS)

    assert size <= 4_000_000, size


def test_name_or_nothing_or_path_opens_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "accurate").write_text("no model")
    monkeypatch.chdir(tmp_path)

    assert Model.load().contract.name == "default"
    assert Model.load("accurate").contract.name == "accurate"
    with pytest.raises(ModelError, match="accurate"):
        Model.load("./accurate")
    with pytest.raises(ModelError, match=r"unsure\.onnx") as refused:
        Model.load("unsure.onnx")
    assert "accurate" in refused.value.remedy


def test_accuracy_is_told_and_enough(model: Model) -> None:
    accuracy = model.contract.accuracy

    assert "5 group-disjoint folds" in accuracy.of
    assert 0.65 <= accuracy.value <= accuracy.high
    assert accuracy.low > 0


def test_overlap_can_be_shared(model: Model) -> None:
    """A hop of 0.25 s is four whole steps of the network's stride of 4 frames."""
    assert model.contract.front_end.frame_s * 4 * 4 == pytest.approx(0.25)


def test_level_does_not_change_the_answer(model: Model) -> None:
    loud = model.infer(windows(model.contract.front_end, 1.0))
    quiet = model.infer(windows(model.contract.front_end, 10 ** (-35 / 20)))

    difference = np.abs(loud - quiet).max()

    assert difference < 0.02, difference


def test_hiss_is_noise(model: Model) -> None:
    front = model.contract.front_end
    hiss = 0.1 * np.random.default_rng(1).standard_normal((6 * front.sample_rate, 1)).astype(np.float32)

    answer = model.infer(
        np.stack([w.frames for w in FrontEndStream(front, 0.5).push(Block(hiss, front.sample_rate))])
    )

    assert {model.contract.labels[i] for i in answer.argmax(axis=1)} == {"noise"}
