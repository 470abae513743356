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
BATCH_S = 1.0
MARGIN_S = 0.05  # what is not skipped before a window, so that frames begin anew in time


class FrontEndStream:
    """Conform, mel and window in one, with the book-keeping of sample indices between them.

    Any chunking of the same audio gives the same windows. Positions are counted in
    whole samples of the source, so they are as exact after a month as at the start.

    Args:
        front_end: as the model file states it.
        hop_s: seconds from one window to the next; rounded to whole steps, at least one.
        step: frames, of which every hop is a multiple.
        phase: from 0 to 1; how far into its hops a station is after the first window.
    """

    def __init__(self, front_end: FrontEnd, hop_s: float, *, step: int = 1, phase: float = 0.0) -> None:
        self._front, self._step = front_end, step
        self._conform = Conform(front_end.sample_rate)
        self._mel = MelStream(front_end)
        hop = self._whole(hop_s)
        self._windows = WindowStream(front_end, hop, round(phase * hop / step) * step)
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

    @hop_s.setter
    def hop_s(self, hop_s: float) -> None:
        hop = self._whole(hop_s)
        if hop != self._windows.hop:
            self._windows.set_hop(hop)
            self._reckon()

    @property
    def due_s(self) -> float:
        """Seconds of audio that complete the next window."""
        return max(self._due_s - self._held_samples / self._held_rate, 0.0)

    @property
    def needless_s(self) -> float:
        """Seconds of audio that no window is to have: those until the next one begins."""
        return max(self.due_s - self._front.window_s - MARGIN_S, 0.0)

    def push(self, block: Block, *, cut: bool = False) -> list[Window]:
        """Take a block; give the windows that are now due, oldest first.

        Args:
            block: as a source gives it; one that only says what was skipped holds no samples.
            cut: True where windows were to have what was skipped.
        """
        windows = []
        if self._held and (block.lost or block.skipped or not self._continues(block)):
            windows += self._look()
        if block.lost or block.skipped:
            windows += self._push(self._conform.flush())
            self._pass(block, cut=cut)
        elif block.rate != self._held_rate:
            windows += self._push(self._conform.flush())
            # Each resampler rounds its end to a whole sample: the count is set right again.
            self._start += round(self._elapsed * self._front.sample_rate) - (self._start + self._pushed)
        self._held_rate = block.rate
        if not len(block.samples):
            return windows
        self._elapsed += Fraction(len(block.samples), block.rate)
        self._held.append(block.samples)
        self._held_samples += len(block.samples)
        if self._held_samples < min(BATCH_S, self._due_s) * block.rate:
            return windows
        return windows + self._look()

    def flush(self) -> list[Window]:
        """Give what is still held at the end of the audio; the stream can't be used after it."""
        windows = self._look() if self._held else []
        windows += self._push(self._conform.flush())
        return windows + self._windows.flush(self._end())

    def _whole(self, hop_s: float) -> int:
        return max(1, round(hop_s / self._front.frame_s / self._step)) * self._step

    def _continues(self, block: Block) -> bool:
        return block.rate == self._held_rate and block.samples.shape[1] == self._held[0].shape[1]

    def _pass(self, block: Block, *, cut: bool) -> None:
        """Take note of what is missing before a block."""
        rate = self._front.sample_rate
        self._mel.reset()
        if block.lost:
            self._windows.gap(round(Fraction(block.lost * rate, block.rate)))
        if block.skipped:
            self._windows.skip(round(Fraction(block.skipped * rate, block.rate)), cut=cut)
        self._elapsed += Fraction(block.lost + block.skipped, block.rate)
        self._start, self._frames, self._pushed = round(self._elapsed * rate), 0, 0
        self._reckon()

    def _look(self) -> list[Window]:
        """Push what is held through the rooms, as one block."""
        samples = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held, self._held_samples = [], 0
        windows = self._push(self._conform.push(samples, self._held_rate))
        self._reckon()
        return windows

    def _reckon(self) -> None:
        """Find out when the next window is due, all that is held left out."""
        front = self._front
        missing = (self._windows.until_due - 1) * front.hop_length + front.n_fft
        self._due_s = (missing - self._mel.pending + self._conform.delay) / front.sample_rate

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
