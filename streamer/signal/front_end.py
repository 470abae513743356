"""The whole signal path of one station: blocks in, windows out, exact positions."""

from fractions import Fraction

import numpy as np

from streamer.contract import FrontEnd
from streamer.flow import Block, MultiSamples, Samples, Window
from streamer.signal.conform import Conform
from streamer.signal.mel import MelStream
from streamer.signal.window import WindowStream

# Small blocks are held until they are worth a call of the resampler and the FFT, whose fixed
# costs are 0.5 ms; but never past the moment at which a window is due.
BATCH_S = 0.25


class FrontEndStream:
    """Conform, mel and window in one, with the book-keeping of sample indices between them.

    Any chunking of the same audio gives the same windows. Positions are counted in
    whole samples of the source, so they are as exact after a month as at the start.

    Args:
        front_end: as the model file states it.
        hop_s: seconds from one window to the next; rounded to whole frames, at least one.
    """

    def __init__(self, front_end: FrontEnd, hop_s: float) -> None:
        self._front = front_end
        self._conform = Conform(front_end.sample_rate)
        self._mel = MelStream(front_end)
        self._windows = WindowStream(front_end, max(1, round(hop_s / front_end.frame_s)))
        self._elapsed = Fraction(0)  # seconds of the source so far, lost ones included
        self._start = 0  # index of the first sample of frame 0 since the last gap
        self._frames = self._pushed = 0  # frames and samples since the last gap
        self._held: list[MultiSamples] = []  # of one rate and channel count, not yet looked at
        self._held_rate, self._held_samples = front_end.sample_rate, 0
        self._due_s = 0.0  # seconds of audio that complete the next window, as of the last look

    @property
    def position_s(self) -> float:
        """Seconds of audio since the source opened, lost samples included."""
        return float(self._elapsed)

    @property
    def hop_s(self) -> float:
        """Seconds from one window to the next, as rounded."""
        return self._windows.hop * self._front.frame_s

    def push(self, block: Block) -> list[Window]:
        """Take a block; give the windows that are now due, oldest first."""
        windows = []
        if self._held and (block.lost or not self._continues(block)):
            windows += self._look()
        if block.rate != self._held_rate and not block.lost:
            windows += self._push(self._conform.flush())
            # Each resampler rounds its end to a whole sample: the count is set right again.
            self._start += round(self._elapsed * self._front.sample_rate) - (self._start + self._pushed)
        if block.lost:
            windows += self._push(self._conform.flush())
            self._mel.reset()
            self._elapsed += Fraction(block.lost, block.rate)
            self._windows.gap(round(Fraction(block.lost * self._front.sample_rate, block.rate)))
            self._start, self._frames, self._pushed = round(self._elapsed * self._front.sample_rate), 0, 0
        self._elapsed += Fraction(len(block.samples), block.rate)
        self._held.append(block.samples)
        self._held_rate = block.rate
        self._held_samples += len(block.samples)
        if self._held_samples < min(BATCH_S, self._due_s) * block.rate:
            return windows
        return windows + self._look()

    def flush(self) -> list[Window]:
        """Give what is still held at the end of the audio; the stream can't be used after it."""
        windows = self._look() if self._held else []
        windows += self._push(self._conform.flush())
        return windows + self._windows.flush(self._end())

    def _continues(self, block: Block) -> bool:
        return block.rate == self._held_rate and block.samples.shape[1] == self._held[0].shape[1]

    def _look(self) -> list[Window]:
        """Push what is held through the rooms, as one block."""
        samples = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held, self._held_samples = [], 0
        windows = self._push(self._conform.push(samples, self._held_rate))
        missing = (
            self._windows.until_due * self._front.hop_length + self._front.n_fft - self._front.hop_length
        )
        self._due_s = (missing - self._mel.pending + self._conform.delay) / self._front.sample_rate
        return windows

    def _push(self, samples: Samples) -> list[Window]:
        self._pushed += len(samples)
        frames, powers = self._mel.push(samples)
        self._frames += len(frames)
        return self._windows.push(frames, powers, self._end())

    def _end(self) -> int:
        """Give the index of the sample after the last complete frame."""
        if self._frames == 0:
            return self._start
        return self._start + (self._frames - 1) * self._front.hop_length + self._front.n_fft
