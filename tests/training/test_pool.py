"""What filters find in a whole clip, once, is what they find in each of its windows."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from training.net import GenreNet
from training.pool import Pool
from training.recipe import read_recipe
from training.store import Entry, Index, PreparedSet, write_clip

pytestmark = pytest.mark.training

RECIPE = read_recipe("smoke")
FRONT, STRIDE = RECIPE.front_end, RECIPE.net.stride
FRAMES = (60, FRONT.n_frames, FRONT.n_frames + 3, 40 * FRONT.n_frames + 7)


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    (tmp_path / "clips").mkdir()
    random = np.random.default_rng(1)
    clips = [
        Entry(id=str(i), label="x", group="g", licence="", file=f"clips/{i}.npz", frames=count)
        for i, count in enumerate(FRAMES)
    ]
    for clip in clips:
        frames = random.normal(-3, 2, (clip.frames, FRONT.n_mels)).astype(np.float32)
        write_clip(tmp_path / clip.file, frames, np.ones(clip.frames, np.float32))
    (tmp_path / "index.json").write_bytes(msgspec.json.encode(Index(front_end=FRONT, clips=clips)))
    prepared = PreparedSet(tmp_path)
    return Pool(prepared, prepared.clips)


def test_heard_once_is_heard_window_by_window(pool: Pool) -> None:
    torch.manual_seed(0)
    net = GenreNet(RECIPE.net, n_labels=2).eval()

    def find(frames: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return net.found(torch.from_numpy(frames)).numpy()

    heard = pool.heard(find, STRIDE)

    last = FRAMES[3] - FRONT.n_frames
    clips = np.array([0, 1, 2, 3, 3, 3, 3])
    starts = np.array([0, 0, 0, 0, 20 * STRIDE, last // 2 // STRIDE * STRIDE, last // STRIDE * STRIDE])
    np.testing.assert_allclose(
        heard.at(clips, starts // STRIDE), find(pool.at(clips, starts)), atol=2e-3, rtol=1e-3
    )
