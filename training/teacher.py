"""Asks a teacher: an ONNX tagger of 3 s windows that was trained on far more music than we have.

The teacher's form is musicnn's (Pons and Serra 2019): input (n, 187, 96) log-mel frames of 16 kHz
mono; outputs `tags` (n, 50), `penultimate` (n, 200), and `mean_pool`, `max_pool` (n, 256 each).
Its front end is written down here once, in the terms of our own.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper

from streamer.contract import FrontEnd
from streamer.flow import Frames, Samples
from streamer.signal.mel import MelStream
from training.errors import DataError

FRONT_END = FrontEnd(
    sample_rate=16_000,
    n_fft=512,
    hop_length=256,
    window="hann",
    n_mels=96,
    f_min=0.0,
    f_max=8_000.0,
    mel_scale="slaney",
    mel_norm="slaney",
    log_offset=1e-4,  # log10(10000 mel + 1) = 4 + log10(mel + 1e-4)
    n_frames=187,
)
EMBEDDING = ("penultimate", "mean_pool", "max_pool")
"""What the embedding in a file of soft labels is made of, in this order: 712 numbers."""
OUTPUTS = ("tags", *EMBEDDING)


def read_filters(
    path: Path, shapes: Sequence[tuple[int, int, int]]
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Give the teacher's filters of some shapes, to work on ln(1 + 10000 mel) of a levelled record.

    Args:
        path: its ONNX file.
        shapes: (how many, frames, bands) of each layer, as `NetRecipe.filters` has them.

    Returns:
        (how many, 1, frames, bands) weights and (how many,) biases for each shape.

    Raises:
        DataError: it can't be read or has no layer of a shape.
    """
    try:
        tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
        scale, shift, mean, variance = (
            float(tensors[f"bn0.{key}"][0]) for key in ("weight", "bias", "running_mean", "running_var")
        )
    except Exception as error:  # protobuf's classes differ from version to version
        raise DataError(
            f"{path}: no teacher with filters: {error}", remedy="give musicnn's ONNX file"
        ) from error
    # Its first batch norm (epsilon 0.001) is of log10(1 + 10000 mel); both go into the weights.
    factor = scale / np.sqrt(variance + 1e-3)
    offset = shift - factor * mean
    found = []
    for count, frames, bands in shapes:
        names = [name for name, tensor in tensors.items() if tensor.shape == (count, 1, frames, bands)]
        if not names:
            raise DataError(
                f"{path}: no layer of {count} filters of {frames} frames and {bands} bands",
                remedy="set net.filters to sizes that it has",
            )
        weight, bias = tensors[names[0]], tensors[names[0].replace("weight", "bias")]
        found.append(
            (
                (weight * factor / np.log(10.0)).astype(np.float32),
                (bias + offset * weight.sum(axis=(1, 2, 3))).astype(np.float32),
            )
        )
    return found


class Teacher:
    """An opened teacher, one thread.

    Args:
        path: its ONNX file.

    Raises:
        DataError: it can't be opened or has other inputs or outputs.
    """

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(
                path.read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime raises bare classes of its own making
            raise DataError(f"{path}: no teacher: {error}", remedy="give an ONNX file") from error
        known = {output.name for output in self._session.get_outputs()}
        if not set(OUTPUTS) <= known:
            raise DataError(
                f"{path}: a teacher gives {', '.join(OUTPUTS)}, this one {', '.join(sorted(known))}",
                remedy="see training/teacher.py, or bring soft labels as a file (training/soft_labels.py)",
            )
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._names = next(csv.reader(io.StringIO(metadata.get("tags", ""))), [])

    def tag_names(self, count: int) -> list[str]:
        """Give names for the tags, numbers where the file names none."""
        return self._names if len(self._names) == count else [f"tag{i}" for i in range(count)]

    def ask(self, samples: Samples, hop_s: float) -> tuple[NDArray[np.float64], Frames, Frames]:
        """Ask about every window of a clip.

        Args:
            samples: (n,) float32 mono at 16 kHz.
            hop_s: seconds from window to window; a clip shorter than a window is repeated.

        Returns:
            start_s: (k,) where the windows begin, k >= 1.
            embedding: (k, 712), see `EMBEDDING`.
            tags: (k, 50).
        """
        frames = self._frames(samples)
        size = FRONT_END.n_frames
        if len(frames) < size:
            frames = np.resize(frames, (size, frames.shape[1]))
        hop = max(1, round(hop_s / FRONT_END.frame_s))
        starts = np.arange(0, len(frames) - size + 1, hop)
        windows = np.stack([frames[start : start + size] for start in starts])
        tags, *parts = self._session.run(list(OUTPUTS), {"x": windows})
        return starts * FRONT_END.frame_s, np.concatenate(parts, axis=1), tags

    def _frames(self, samples: Samples) -> Frames:
        """Give its (k, 96) frames: centred, the edges mirrored."""
        half = FRONT_END.n_fft // 2
        padded = np.pad(samples, half, mode="reflect" if len(samples) > half else "constant")
        logs, _ = MelStream(FRONT_END).push(padded.astype(np.float32))
        return (4.0 + logs / np.log(10.0)).astype(np.float32)
