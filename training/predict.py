"""Asks a network about whole clips, window by window as the streamer would, and calibrates it."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from streamer.flow import Frames
from training.nets import Net
from training.store import Entry, PreparedSet

Logits = NDArray[np.float32]
BATCH = 256  # windows gathered at once: 10 MB of input
AT_ONCE = {"cpu": 8, "cuda": BATCH}  # asked at once: more fall out of a processor's cache


def clip_logits(
    net: Net, prepared: PreparedSet, clips: Sequence[Entry], labels: list[str], *, hop_s: float = 3.0
) -> tuple[Logits, NDArray[np.int64], NDArray[np.int64]]:
    """Give (n, labels) logits of all windows of the clips, (n,) targets, and (n,) which clip each is of."""
    hop = max(1, round(hop_s / prepared.front_end.frame_s))
    logits: list[Logits] = []
    owners: list[int] = []
    waiting: list[NDArray[np.float32]] = []

    def ask() -> None:
        logits.append(window_logits(net, np.concatenate(waiting)))
        waiting.clear()

    for at, clip in enumerate(clips):
        windows = prepared.windows(clip, hop)
        waiting.append(windows)
        owners.extend([at] * len(windows))
        if sum(len(w) for w in waiting) >= BATCH:
            ask()
    if waiting:
        ask()
    targets = np.array([labels.index(clip.label) for clip in clips])
    clip_of = np.array(owners)
    return np.concatenate(logits), targets[clip_of], clip_of


def window_logits(net: Net, windows: Frames) -> Logits:
    """Give the (n, labels) logits of (n, n_frames, n_mels) windows, wherever the network lies."""
    device = next(net.parameters()).device
    net.eval()
    with torch.inference_mode():
        parts = torch.from_numpy(windows).split(AT_ONCE.get(device.type, BATCH))
        return np.concatenate([net(part.to(device)).cpu().numpy() for part in parts])


def softmax(logits: Logits, temperature: float = 1.0) -> NDArray[np.float64]:
    """Give (n, labels) probabilities."""
    scaled = logits.astype(np.float64) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def nll(
    logits: Logits, targets: NDArray[np.int64], temperature: float, weights: NDArray[np.float64] | None = None
) -> float:
    """Give the mean negative log-likelihood."""
    of_target = softmax(logits, temperature)[np.arange(len(targets)), targets]
    return float(np.average(-np.log(np.maximum(of_target, 1e-30)), weights=weights))


def fit_temperature(
    logits: Logits, targets: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> float:
    """Give the temperature of least NLL (Guo et al. 2017), by golden section over its logarithm."""
    low, high, ratio = np.log(0.2), np.log(5.0), (5**0.5 - 1) / 2
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if nll(logits, targets, np.exp(left), weights) < nll(logits, targets, np.exp(right), weights):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))
