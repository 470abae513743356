"""A clip's audio as the streamer's own front end hears it: a file in, log-mel frames out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.errors import TooShortError
from streamer.flow import Block, Frames, Samples
from streamer.signal.conform import Conform
from streamer.signal.mel import MelStream
from streamer.signal.window import SHORTEST_S
from streamer.source.file import read_file

BLOCK = 1 << 18  # samples at once: an hour of audio is not to be in memory as spectra


def clip_frames(path: Path, front_end: FrontEnd) -> tuple[Frames, NDArray[np.float32]]:
    """Decode a whole clip.

    Returns:
        frames: (k, n_mels) float32, k >= 1.
        powers: (k,) float32, mean square of each frame's new part.

    Raises:
        SourceError: there is no such file, it is no audio, it breaks off, or it is too short.
    """
    frames, powers = frames_of(clip_samples(path, front_end.sample_rate), front_end.sample_rate, front_end)
    shortest = (SHORTEST_S * front_end.sample_rate - front_end.n_fft) / front_end.hop_length
    if len(frames) < max(1, shortest):
        raise TooShortError(
            f"{path.name}: shorter than {SHORTEST_S:g} s",
            remedy="leave the clip out, or bring a longer cut of it",
        )
    return frames, powers


def clip_samples(path: Path, rate: int, *, most_s: float = float("inf")) -> Samples:
    """Decode a clip to (n,) float32 mono samples at `rate`; no more than a block beyond `most_s` seconds.

    Raises:
        SourceError: there is no such file, it is no audio, or it breaks off.
    """
    conform, parts, seconds = Conform(rate), [], 0.0
    for event in read_file(path):
        if isinstance(event, Block):
            parts.append(conform.push(event.samples, event.rate))
            seconds += len(event.samples) / event.rate
            if seconds > most_s:
                break
    return np.concatenate([*parts, conform.flush()])


def frames_of(samples: Samples, rate: int, front_end: FrontEnd) -> tuple[Frames, NDArray[np.float32]]:
    """Give the (k, n_mels) frames and (k,) powers of (n,) mono samples at any rate."""
    conform, mel = Conform(front_end.sample_rate), MelStream(front_end)
    blocks = (samples[start : start + BLOCK, None] for start in range(0, len(samples), BLOCK))
    parts = [mel.push(conform.push(block, rate)) for block in blocks]
    parts.append(mel.push(conform.flush()))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
