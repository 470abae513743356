"""A clip's audio as the streamer's own front end hears it: a file in, log-mel frames out."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.errors import TooShortError
from streamer.flow import Block, Frames
from streamer.signal.conform import Conform
from streamer.signal.mel import MelStream
from streamer.signal.window import SHORTEST_S
from streamer.source.file import read_file


def clip_frames(path: Path, front_end: FrontEnd) -> tuple[Frames, NDArray[np.float32]]:
    """Decode a whole clip.

    Returns:
        frames: (k, n_mels) float32, k >= 1.
        powers: (k,) float32, mean square of each frame's new part.

    Raises:
        SourceError: there is no such file, it is no audio, it breaks off, or it is too short.
    """
    conform, mel = Conform(front_end.sample_rate), MelStream(front_end)
    parts = [
        mel.push(conform.push(event.samples, event.rate))
        for event in read_file(path)
        if isinstance(event, Block)
    ]
    parts.append(mel.push(conform.flush()))
    frames = np.concatenate([part[0] for part in parts])
    powers = np.concatenate([part[1] for part in parts])
    shortest = (SHORTEST_S * front_end.sample_rate - front_end.n_fft) / front_end.hop_length
    if len(frames) < max(1, shortest):
        raise TooShortError(
            f"{path.name}: shorter than {SHORTEST_S:g} s",
            remedy="leave the clip out, or bring a longer cut of it",
        )
    return frames, powers
