"""Log-mel frames as a picture that is small enough to be sent: few columns, one byte a band."""

import math

import numpy as np

from streamer.flow import Frames

COLUMNS_A_SECOND = 10
DB = 10.0 / math.log(10.0)  # in one unit of the frames, which are natural logarithms of powers
RANGE_DB = 80.0  # below the loudest: what is quieter is nothing that is seen
LEVELS = 255


def draw(frames: Frames, seconds: float) -> tuple[int, float, float, bytes]:
    """Give the columns of (k, n_mels) frames, k >= 1, each the mean of its frames.

    Args:
        frames: consecutive.
        seconds: that they are long together.

    Returns:
        how many columns there are, what a byte of 0 and what a step of 1 is in dB, and the bytes.
    """
    count = min(max(round(seconds * COLUMNS_A_SECOND), 1), len(frames))
    edges = np.arange(count + 1) * len(frames) // count
    columns = np.add.reduceat(frames, edges[:-1], axis=0) / np.diff(edges)[:, None] * DB
    top = float(columns.max())
    floor = max(float(columns.min()), top - RANGE_DB)
    step = (top - floor) / LEVELS
    levels = np.clip(np.rint((columns - floor) / (step or 1.0)), 0, LEVELS)
    return count, floor, step, levels.astype(np.uint8).tobytes()
