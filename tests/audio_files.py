"""Makes small media files for the tests, with the encoders that PyAV carries."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def sound(seconds: float, rate: int = 44_100, hz: float = 440.0, level: float = 0.2) -> np.ndarray:
    """Give (n,) float32: a tone in a little noise."""
    n = int(seconds * rate)
    noise = np.random.default_rng(1).normal(size=n)
    return (level * (np.sin(2 * np.pi * hz * np.arange(n) / rate) + 0.2 * noise)).astype(np.float32)


def write(
    path: Path,
    samples: np.ndarray,
    rate: int = 44_100,
    codec: str = "libmp3lame",
    video: bool = False,
    bit_rate: int | None = None,
) -> Path:
    """Encode mono samples into a file; its container is by its ending."""
    with av.open(str(path), "w") as container:
        if video:
            pictures = container.add_stream("mpeg4", rate=5)
            pictures.width = pictures.height = 64
            pictures.pix_fmt = "yuv420p"
        stream = container.add_stream(codec, rate=rate)
        stream.layout = "mono"
        if bit_rate:
            stream.bit_rate = bit_rate
        if video:
            for i in range(int(len(samples) / rate * 5)):
                picture = av.VideoFrame.from_ndarray(np.full((64, 64, 3), i % 255, np.uint8), format="rgb24")
                container.mux(pictures.encode(picture))
            container.mux(pictures.encode(None))
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="flt", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return path
