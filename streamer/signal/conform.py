"""Any rate and any channels in, mono at the model's rate out; the state is the resampler's."""

import numpy as np
import soxr

from streamer.flow import MultiSamples, Samples

# "HQ" holds back 7 ms of audio where "MQ" holds back 35, for a twentieth more work.
QUALITY = "HQ"
PIECE = 8192
"""Samples for soxr at a time: its buffers are as large as what it is given, and of each stream its own.

Whole seconds made them 540 KB, and half as fast with a hundred streams as with one, for want of cache.
"""


class Conform:
    """Mixes down and resamples a stream, whatever the block sizes and whatever changes on the way.

    Args:
        sample_rate: of the samples that come out, in Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._out_rate = sample_rate
        self._in_rate = sample_rate
        self._resampler: soxr.ResampleStream | None = None

    @property
    def delay(self) -> float:
        """Samples, at the rate that comes out, that the resampler holds back."""
        return self._resampler.delay() if self._resampler else 0.0

    def push(self, samples: MultiSamples, rate: int) -> Samples:
        """Take (n, channels) float32 at `rate`; give the (m,) float32 at sample_rate that are now final.

        A new rate first brings out what the old one still holds.
        """
        mono = mix(samples)
        if rate == self._in_rate:
            return self._resample(mono)
        before = self.flush()
        self._in_rate = rate
        if rate != self._out_rate:
            self._resampler = soxr.ResampleStream(rate, self._out_rate, 1, dtype="float32", quality=QUALITY)
        return np.concatenate((before, self._resample(mono)))

    def flush(self) -> Samples:
        """Give what the resampler still holds; the next samples begin anew, at any rate."""
        if self._resampler is None:
            return np.empty(0, np.float32)
        rest: Samples = self._resampler.resample_chunk(np.empty(0, np.float32), last=True)
        self._resampler, self._in_rate = None, self._out_rate
        return rest

    def _resample(self, mono: Samples) -> Samples:
        if self._resampler is None:
            return np.ascontiguousarray(mono)
        if len(mono) <= PIECE:
            resampled: Samples = self._resampler.resample_chunk(np.ascontiguousarray(mono))
            return resampled
        pieces = (mono[start : start + PIECE] for start in range(0, len(mono), PIECE))
        return np.concatenate([self._resample(piece) for piece in pieces])


def mix(samples: MultiSamples) -> Samples:
    """Take (n, channels) samples; give the (n,) mean of their channels."""
    channels = samples.shape[1]
    if channels == 1:
        return samples[:, 0]
    mono: Samples = samples[:, 0] + samples[:, 1]  # a third of what `mean` costs for stereo
    for channel in range(2, channels):
        mono += samples[:, channel]
    mono *= np.float32(1.0 / channels)
    return mono
