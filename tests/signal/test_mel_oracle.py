"""Our mel frames against torchaudio's, over a grid of settings."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.signal.mel import MelStream

torch = pytest.importorskip("torch")
transforms = pytest.importorskip("torchaudio.transforms")

pytestmark = pytest.mark.training

RATES = {16_000: ((512, 160), (1024, 400)), 22_050: ((1024, 256), (2048, 551)), 44_100: ((2048, 1102),)}
GRID = [
    (rate, n_fft, hop, n_mels, scale, norm)
    for rate, sizes in RATES.items()
    for (n_fft, hop), n_mels, scale, norm in product(
        sizes, (40, 80, 128), ("htk", "slaney"), ("none", "slaney")
    )
]


@pytest.fixture
def _double() -> Iterator[None]:
    """torchaudio makes its filters in torch's default type; in float32 a band of two bins is off by 1e-3."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def signal(rate: int) -> NDArray[np.float32]:
    """Give two seconds of noise and tones."""
    t = np.arange(2 * rate) / rate
    noise = np.random.default_rng(1).standard_normal(len(t))
    tones = sum(np.sin(2 * np.pi * hz * t) for hz in (110.0, 440.0, 1234.5, 5000.0))
    return (0.05 * noise + 0.15 * tones).astype(np.float32)


@pytest.mark.usefixtures("_double")
@pytest.mark.filterwarnings("ignore:At least one mel filterbank has all zero values:UserWarning")
@pytest.mark.parametrize(("rate", "n_fft", "hop", "n_mels", "scale", "norm"), GRID)
def test_mel_agrees_with_torchaudio(
    rate: int, n_fft: int, hop: int, n_mels: int, scale: str, norm: str
) -> None:
    front = FrontEnd(
        sample_rate=rate, n_fft=n_fft, hop_length=hop, window="hann", n_mels=n_mels, f_min=30.0,
        f_max=rate / 2 - 200.0, mel_scale=scale, mel_norm=norm, log_offset=1e-7, n_frames=118,
    )  # fmt: skip
    samples = signal(rate)
    oracle = transforms.MelSpectrogram(
        sample_rate=rate, n_fft=n_fft, hop_length=hop, n_mels=n_mels, f_min=30.0, f_max=rate / 2 - 200.0,
        power=2.0, center=False, mel_scale=scale, norm=None if norm == "none" else norm,
    )  # fmt: skip
    theirs = torch.log(oracle(torch.from_numpy(samples.astype(np.float64))) + 1e-7).numpy().T

    ours, _ = MelStream(front).push(samples)

    assert ours.shape == theirs.shape
    difference = np.abs(ours - theirs).max()
    assert difference <= 1e-4, difference
