"""Is the model file the checkpoint? Torch against ONNX Runtime on real windows."""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from export.convert import TEMPERATURE_KEY, session
from streamer.contract import FrontEnd, probe_samples, read_contract
from streamer.errors import GenrecastError, ModelError
from streamer.signal.mel import MelStream
from training.errors import RunError
from training.fit import load_net
from training.store import PreparedSet

TOLERANCE = 1e-4
"""Largest difference of a probability; folding batch norms and other kernels round by about 1e-6."""
CLIPS = 64
SEEDS = 32


class MismatchError(GenrecastError):
    """The model file does not answer as its checkpoint does."""

    code = "export-mismatch"
    exit_status = 24


def verify(checkpoint: Path, model: Path, *, windows: Path | None) -> tuple[float, int]:
    """Compare a model file with its checkpoint.

    Args:
        checkpoint: folder of a run.
        model: the ONNX file.
        windows: a prepared set to take real windows from; seeded noise and chords where None.

    Returns:
        the largest absolute difference of a probability, and how many windows were compared.

    Raises:
        MismatchError: it is larger than `TOLERANCE`.
        RunError: the checkpoint is of another front end or of other labels.
        ModelError: the file can't be read.
    """
    state, net = load_net(checkpoint)
    data, metadata = read_model(model)
    contract = read_contract(metadata, name=model.name)
    front = state.recipe.front_end
    if contract.front_end != front or list(contract.labels) != state.labels:
        raise RunError(
            f"{model.name} has another front end or other labels than {checkpoint}",
            remedy="export it again with 'python -m export convert'",
        )
    frames = windows_for(windows, front)
    ours = session(data).run(None, {"frames": frames})[0].astype(np.float64)
    with torch.inference_mode():
        logits = net(torch.from_numpy(frames)).numpy().astype(np.float64)
    theirs = _softmax(logits / float(metadata.get(TEMPERATURE_KEY, "1")))
    worst = float(np.abs(ours - theirs).max())
    if not worst <= TOLERANCE:
        raise MismatchError(
            f"{model.name} differs from {checkpoint} by up to {worst:.3g} in a probability",
            remedy="export it again; if it stays, a layer is exported wrongly",
        )
    return worst, len(frames)


def read_model(path: Path) -> tuple[bytes, dict[str, str]]:
    """Give the bytes of a model file and its metadata.

    Raises:
        ModelError: the file can't be read.
    """
    try:
        data = path.read_bytes()
        proto = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's classes differ from version to version
        raise ModelError(f"{path}: can't be read: {error}", remedy="give an ONNX file") from error
    return data, {prop.key: prop.value for prop in proto.metadata_props}


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def windows_for(prepared: Path | None, front: FrontEnd) -> NDArray[np.float32]:
    """Give (n, n_frames, n_mels) windows of clips spread over the set, or synthetic ones."""
    if prepared is None:
        parts = [MelStream(front).push(probe_samples(k, front.window_samples))[0] for k in range(SEEDS)]
        return np.stack(parts)
    opened = PreparedSet(prepared)
    if opened.front_end != front:
        raise RunError(
            f"{prepared} was prepared with another front end", remedy="prepare it with the recipe's own"
        )
    chosen = opened.clips[:: max(1, len(opened.clips) // CLIPS)]
    windows: NDArray[np.float32] = np.concatenate([opened.windows(clip, front.n_frames) for clip in chosen])
    return windows
