"""Asks a teacher: an ONNX tagger of 3 s windows that was trained on far more music than we have.

The teacher's form is musicnn's (Pons and Serra 2019): input (n, 187, 96) log-mel frames of 16 kHz
mono; outputs `tags` (n, 50), `penultimate` (n, 200), and `mean_pool`, `max_pool` (n, 256 each).
Its front end is written down here once, in the terms of our own, but for two things. A running level
is taken off, as the student has it, and put to `training.net.REFERENCE_DBFS`: what the teacher says
depends much on how loud a sound is, which a student that hears no level can't learn. And a frame
comes each 250 samples instead of 256, so that its windows are the student's.
"""

import csv
import io
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.flow import Frames, Samples
from streamer.signal.mel import MelStream
from training.errors import DataError
from training.net import COMPRESSION

FRONT_END = FrontEnd(
    sample_rate=16_000,
    n_fft=512,
    hop_length=250,
    window="hann",
    n_mels=96,
    f_min=0.0,
    f_max=8_000.0,
    mel_scale="slaney",
    mel_norm="slaney",
    log_offset=1e-9,
    n_frames=187,
    normalisation="level",
    level_half_life_s=4.0,
)
EMBEDDING = ("penultimate", "mean_pool", "max_pool")
"""What the embedding in a file of soft labels is made of, in this order: 712 numbers."""
OUTPUTS = ("tags", *EMBEDDING)


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
        frames = self._frames(np.resize(samples, max(len(samples), FRONT_END.window_samples)))
        size = FRONT_END.n_frames
        hop = max(1, round(hop_s / FRONT_END.frame_s))
        starts = np.arange(0, len(frames) - size + 1, hop)
        windows = np.stack([frames[start : start + size] for start in starts])
        tags, *parts = self._session.run(list(OUTPUTS), {"x": windows})
        return starts * FRONT_END.frame_s, np.concatenate(parts, axis=1), tags

    def _frames(self, samples: Samples) -> Frames:
        """Give its (k, 96) frames: log10(1 + 10000 mel) of the sound brought to the reference level."""
        logs, _ = MelStream(FRONT_END).push(samples.astype(np.float32))
        return (np.log1p(np.exp(logs + np.float32(COMPRESSION))) / np.float32(np.log(10.0))).astype(
            np.float32
        )
