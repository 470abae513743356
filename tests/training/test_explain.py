"""Why a run answers as it does: maps that add up, and lie where the sound is."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from streamer.errors import SourceNotFoundError
from training.__main__ import main
from training.attribution import NOTHING, attribute, strongest
from training.errors import DataError, RunError
from training.net import GenreNet
from training.recipe import NetRecipe

pytestmark = [pytest.mark.training, pytest.mark.slow]

PNG = b"\x89PNG\r\n\x1a\n"
FRAMES, BANDS = 118, 40
LOW, HIGH = 6, 26  # first bands of the bursts that the small network learns to tell apart
WIDE, LONG = 6, 24  # bands and frames of a burst


def burst(band: int, frame: int, random: np.random.Generator) -> np.ndarray:
    window = random.normal(-8, 0.5, (FRAMES, BANDS)).astype(np.float32)
    window[frame : frame + LONG, band : band + WIDE] += 6.0
    return window


@pytest.fixture(scope="module")
def small_net() -> GenreNet:
    """A network that tells a low burst (label 0) from a high one, wherever it is in time."""
    torch.manual_seed(1)
    random = np.random.default_rng(1)
    recipe = NetRecipe(filters=((6, 4, 20), (4, 8, 1)), stride=4, layers=1, channels=8, hidden=8, dropout=0.0)
    net = GenreNet(recipe, n_labels=2).train()
    optimiser = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(40):
        labels = random.integers(0, 2, 16)
        places = random.integers(10, FRAMES - LONG - 10, 16)
        x = np.stack([burst((LOW, HIGH)[y], at, random) for y, at in zip(labels, places, strict=True)])
        loss = torch.nn.functional.cross_entropy(net(torch.from_numpy(x)), torch.from_numpy(labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.2
    return net.eval()


@pytest.mark.parametrize(("label", "band"), [(0, LOW), (1, HIGH)])
def test_attribution_lies_where_the_sound_is(small_net: GenreNet, label: int, band: int) -> None:
    window = burst(band, 60, np.random.default_rng(5))

    found = attribute(small_net, window, np.eye(2, dtype=np.float32)[label])

    inside = np.abs(found.cells[60 : 60 + LONG, band : band + WIDE]).sum() / np.abs(found.cells).sum()
    area = LONG * WIDE / (FRAMES * BANDS)
    assert inside > 8 * area, (inside, area)
    region = strongest(found.cells)
    assert region.frames.start < 60 + LONG
    assert region.frames.stop > 60


@pytest.mark.parametrize("seed", range(4))
def test_attribution_adds_up_to_the_change_of_the_logit(small_net: GenreNet, seed: int) -> None:
    window = burst(HIGH, 30, np.random.default_rng(seed))
    weights = np.array([-1.0, 1.0], np.float32)

    found = attribute(small_net, window, weights)

    nothing = torch.full((1, FRAMES, BANDS), NOTHING)
    with torch.no_grad():
        logits = small_net(torch.cat((nothing, torch.from_numpy(window)[None]))).numpy() @ weights
    assert found.complete
    assert found.cells.sum() == pytest.approx(logits[1] - logits[0], abs=0.011 * max(1, abs(found.change)))


def test_filters_that_are_frozen_are_explained_too(small_net: GenreNet) -> None:
    window = burst(LOW, 40, np.random.default_rng(9))
    label = np.array([1.0, 0.0], np.float32)
    expected = attribute(small_net, window, label)

    small_net.filters.requires_grad_(False)
    found = attribute(small_net, window, label)

    assert np.array_equal(found.cells, expected.cells)
    small_net.filters.requires_grad_(True)


def test_strongest_region_of_a_known_map() -> None:
    cells = np.full((FRAMES, BANDS), -1.0)
    cells[50:60, 10:14] = 2.0

    region = strongest(cells)

    assert (region.frames.start, region.frames.stop) == (50, 55)
    assert (region.bands.start, region.bands.stop) == (10, 12)
    assert region.share == pytest.approx(0.25)


def explain(*words: object) -> int:
    return main(["explain", *map(str, words)])


def test_clip_is_explained(
    corpus: Path, run_of_fold: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert explain(corpus / "audio/chord-0-0.wav", "--run", run_of_fold, "--out", tmp_path) == 0

    figures = json.loads((tmp_path / "explain.json").read_text())
    assert f"it answered {figures['answer']['label']}" in capsys.readouterr().out
    assert figures["answer"]["probability"] >= figures["runner_up"]["probability"]
    assert 0 <= figures["window"]["start_s"] <= figures["region"]["from_s"]
    assert figures["region"]["to_s"] <= figures["window"]["end_s"] <= 4.0
    for found in figures["attributions"].values():
        assert found["complete"], found
    for name in ("explain.png", "filters.png"):
        assert (tmp_path / name).read_bytes().startswith(PNG)


def test_filters_need_no_clip(run_of_fold: Path, tmp_path: Path) -> None:
    assert explain("--filters", "--run", run_of_fold, "--out", tmp_path) == 0

    assert [path.name for path in tmp_path.iterdir()] == ["filters.png"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("audio/nowhere.wav",), SourceNotFoundError.exit_status, "nowhere.wav"),
        (("audio/chord-0-0.wav", "--at", "9"), DataError.exit_status, "no second 9"),
        (("audio/chord-0-0.wav", "--run", "/nowhere"), RunError.exit_status, "no checkpoint"),
        ((), DataError.exit_status, "no CLIP"),
    ],
)
def test_what_can_not_be_explained_is_told(
    corpus: Path,
    run_of_fold: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    words: tuple,
    status: int,
    said: str,
) -> None:
    clip = [corpus / word for word in words[:1]]

    assert explain("--run", run_of_fold, "--out", tmp_path, *clip, *words[1:]) == status
    assert said in capsys.readouterr().err
