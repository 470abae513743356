"""A window the textbook way: librosa's mel of all its samples, then the network in PyTorch, eagerly.

The same front end and the same weights as the model file's, so the same answer.
"""

from typing import Any

import librosa
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from bench.eager import EagerNetwork
from streamer.contract import FrontEnd
from streamer.flow import Frames, Samples
from streamer.signal.mel import QUIETEST


class TextbookMel:
    """The front end with librosa, each window from its samples.

    Args:
        front_end: as the model file states it.
        prebuilt: make the mel filters once, as `librosa.feature.melspectrogram` does not.
    """

    def __init__(self, front_end: FrontEnd, *, prebuilt: bool = False) -> None:
        self._front = front_end
        self._filters = librosa.filters.mel(sr=front_end.sample_rate, **self._bank()) if prebuilt else None

    def frames(self, samples: Samples, *, before: float = 0.0, count: int = 0) -> Frames:
        """Give the (n_frames, n_mels) log-mel frames of (window_samples,) samples.

        Args:
            samples: at the front end's rate.
            before: decayed sum of the squares before them (`levels`), for the running level.
            count: frames before them.
        """
        front = self._front
        stft: dict[str, Any] = {
            "hop_length": front.hop_length,
            "win_length": front.n_fft,
            "window": "hann",
            "center": False,
        }
        if self._filters is None:
            mel = librosa.feature.melspectrogram(
                y=samples, sr=front.sample_rate, power=2.0, **stft, **self._bank()
            )
        else:
            spectrum = librosa.stft(samples, n_fft=front.n_fft, **stft)
            mel = self._filters @ (np.abs(spectrum) ** 2)
        frames: Frames = np.log(mel + np.float32(front.log_offset)).T
        if front.normalisation == "level":
            newest = librosa.util.frame(samples, frame_length=front.n_fft, hop_length=front.hop_length)
            powers = np.square(newest[-front.hop_length :]).mean(axis=0)
            frames = frames - np.log(levels(front, powers, before, count)[0])[:, None]
        return frames.astype(np.float32, copy=False)

    def _bank(self) -> dict[str, Any]:
        front = self._front
        return {
            "n_fft": front.n_fft,
            "n_mels": front.n_mels,
            "fmin": front.f_min,
            "fmax": front.f_max,
            "htk": front.mel_scale == "htk",
            "norm": "slaney" if front.mel_norm == "slaney" else None,
        }


class TextbookNetwork:
    """The model file's network in PyTorch, one thread.

    Raises:
        ValueError: the graph can't be rebuilt.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        torch.set_num_threads(1)
        self.network = EagerNetwork(model)
        self._output = model.graph.output[0].name

    def infer(self, frames: Frames) -> NDArray[np.float32]:
        """Take (batch, n_frames, n_mels) float32; give (batch, n_labels) probabilities."""
        with torch.inference_mode():
            answer: NDArray[np.float32] = self.network.run(torch.from_numpy(frames), self._output).numpy()
        return answer


def levels(
    front: FrontEnd, powers: NDArray[np.float32], before: float, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the running level at each frame, and the decayed sum by then.

    Args:
        front: with its half-life.
        powers: (k,) mean square of each frame's new part.
        before: the decayed sum before them.
        count: frames before them.
    """
    keep = 0.5 ** (front.frame_s / front.level_half_life_s)
    sums, _ = lfilter([1.0 - keep], [1.0, -keep], powers.astype(np.float64), zi=[keep * before])
    weights = 1.0 - keep ** np.arange(count + 1, count + len(powers) + 1)
    return np.maximum(sums / weights, QUIETEST), sums
