"""Numbers to float32: raw PCM in the formats that are found on pipes, and the frames FFmpeg decodes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.flow import MultiSamples

MAX_RATE = 192_000  # nothing on air is higher; bounds what hostile bytes can make us allocate
MAX_CHANNELS = 8
LOUDEST = 8.0  # 18 dB over full scale: floats may exceed it, and squares of what lies beyond overflow

PCM_BYTES = {
    "s16le": 2, "s16be": 2, "u8": 1, "s24le": 3, "s32le": 4, "f32le": 4, "f64le": 8,
}  # fmt: skip
"""Formats of raw PCM by FFmpeg's names, with their bytes per sample."""

_DTYPES = {"s16le": "<i2", "s16be": ">i2", "u8": "u1", "s32le": "<i4", "f32le": "<f4", "f64le": "<f8"}


def pcm_to_samples(data: bytes, pcm_format: str, channels: int) -> MultiSamples:
    """Give (n, channels) float32 from interleaved raw PCM; `data` holds whole frames only.

    What is no number (a float format can hold NaN and infinity) becomes 0, what is no sound is clipped.
    """
    if pcm_format == "s24le":
        wide = np.zeros((len(data) // 3, 4), dtype=np.uint8)
        wide[:, 1:] = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3)
        samples = to_float32(wide.view("<i4")[:, 0])
    else:
        samples = to_float32(np.frombuffer(data, dtype=_DTYPES[pcm_format]))
    return samples.reshape(-1, channels)


def to_float32(numbers: NDArray[Any]) -> NDArray[np.float32]:
    """Scale integers to full scale 1.0; make floats finite float32 within `LOUDEST`."""
    kind, size = numbers.dtype.kind, numbers.dtype.itemsize
    if kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            samples = numbers.astype(np.float32)
        # One pass tells whether anything is amiss: no sum of audio comes near it.
        if not np.abs(samples).max(initial=0.0) <= LOUDEST:
            samples[~np.isfinite(samples)] = 0.0
            np.clip(samples, -LOUDEST, LOUDEST, out=samples)
        return samples
    scale = np.float32(1.0 / (1 << (8 * size - 1)))
    if kind == "u":
        return (numbers.astype(np.float32) - np.float32(1 << (8 * size - 1))) * scale
    return numbers.astype(np.float32) * scale
