"""Log-mel frames from a stream of samples: each frame once, as its last sample arrives."""

import functools

import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.flow import Frames, Samples


class MelStream:
    """Turns blocks of mono samples into log-mel frames, whatever the block sizes.

    The frames of any chunking equal those of one call on the whole signal, to the bit
    (tests/signal/test_front_end.py): a frame is computed in the same way whatever came with it.

    Args:
        front_end: as the model file states it.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self._n_fft = front_end.n_fft
        self._hop = front_end.hop_length
        self._offset = np.float32(front_end.log_offset)
        self._window, self._bank = _tables(front_end)
        self._level = RunningLevel(front_end) if front_end.normalisation == "level" else None
        self._rest = np.empty(0, np.float32)
        self._count = 0  # of frames so far

    @property
    def pending(self) -> int:
        """Samples that wait for their frame to be complete."""
        return len(self._rest)

    def push(self, samples: Samples) -> tuple[Frames, NDArray[np.float32]]:
        """Take (n,) float32 samples; give the frames now complete and the power of each one's new part.

        Returns:
            frames: (k, n_mels) float32, k >= 0.
            powers: (k,) float32, mean square of the last hop_length samples of each frame.
        """
        signal = np.concatenate((self._rest, samples)) if self._rest.size else samples
        count = (len(signal) - self._n_fft) // self._hop + 1 if len(signal) >= self._n_fft else 0
        self._rest = signal[count * self._hop :].copy()
        if count == 0:
            return np.empty((0, self._bank.n_mels), np.float32), np.empty(0, np.float32)
        # A view of overlapping rows; sliding_window_view does the same in forty times the time.
        signal = np.ascontiguousarray(signal, np.float32)
        framed = np.ndarray((count, self._n_fft), np.float32, signal, 0, (4 * self._hop, 4))
        newest = framed[:, -self._hop :]
        powers = np.vecdot(newest, newest) * np.float32(1.0 / self._hop)
        # With a norm NumPy stays in float32; without one it goes through float64, in five times the time.
        spectrum = np.fft.rfft(framed * self._window, norm="forward").astype(np.complex64, copy=False)
        frames = self._bank.apply(spectrum, self._count)
        frames += self._offset
        np.log(frames, out=frames)
        self._count += count
        if self._level:
            frames -= np.log(self._level.push(powers))[:, None]
        return frames, powers

    def reset(self) -> None:
        """Forget the samples of incomplete frames: what comes next does not follow them. The level stays."""
        self._rest, self._count = np.empty(0, np.float32), 0


QUIETEST = 1e-9  # -90 dB of full scale, the rounding noise of 16 bits: below it nothing is made louder


class RunningLevel:
    """Mean square of the samples so far, in which one counts half after `level_half_life_s`.

    It is computed frame by frame in float64, so it is the same whatever the block sizes.

    Args:
        front_end: with normalisation `level`.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self._keep = 0.5 ** (front_end.frame_s / front_end.level_half_life_s)
        self._sum = self._weight = 0.0

    def push(self, powers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the (k,) mean squares of the frames' new parts; give the (k,) levels, at least `QUIETEST`."""
        keep, total, weight = self._keep, self._sum, self._weight
        levels = np.empty(len(powers), np.float32)
        for i, power in enumerate(powers.tolist()):
            total = keep * total + (1.0 - keep) * power
            weight = keep * weight + (1.0 - keep)
            levels[i] = total / weight
        self._sum, self._weight = total, weight
        return np.maximum(levels, np.float32(QUIETEST))


class MelBank:
    """Triangular mel filters as a matrix product, in which each frame has its place in a block of rows.

    A product rounds differently with the number of rows and with a row's place among them. So it is
    always of `rows` rows, and frame k is always row k % rows, among zeros where its neighbours are not
    there yet. Formulas: HTK (Young et al., The HTK Book, 5.4) and Slaney (Auditory Toolbox, 1998), as
    torchaudio and librosa have them.
    """

    MOST_ROWS = 16
    MOST_WORK = 400_000  # multiplications, above which OpenBLAS wakes its threads, to wait for them

    def __init__(self, front_end: FrontEnd) -> None:
        self.n_mels = front_end.n_mels
        edges_hz = mel_edges(front_end)
        bins_hz = np.arange(front_end.n_fft // 2 + 1) * front_end.sample_rate / front_end.n_fft
        low, middle, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
        rising = (bins_hz[:, None] - low) / (middle - low)
        falling = (high - bins_hz[:, None]) / (high - middle)
        scale = 2.0 / (high - low) if front_end.mel_norm == "slaney" else 1.0
        scale *= front_end.n_fft**2  # which the spectrum lacks
        self._filters = (np.maximum(np.minimum(rising, falling), 0.0) * scale).astype(np.float32)
        self.rows = self.MOST_ROWS
        while self.rows > 1 and self.rows * self._filters.size > self.MOST_WORK:
            self.rows //= 2

    def apply(self, spectrum: NDArray[np.complex64], place: int = 0) -> NDArray[np.float32]:
        """Give the mel power of frames.

        Args:
            spectrum: (k, n_fft // 2 + 1) complex64, divided by n_fft; used up.
            place: number of the first frame.

        Returns:
            (k, n_mels) float32.
        """
        count, before = len(spectrum), place % self.rows
        blocks = -(-(before + count) // self.rows)
        padded = np.zeros((blocks * self.rows, spectrum.shape[1]), np.float32)
        squares = spectrum.view(np.float32)
        np.square(squares, out=squares)
        np.add(squares[:, ::2], squares[:, 1::2], out=padded[before : before + count])
        mel: NDArray[np.float32] = padded.reshape(blocks, self.rows, -1) @ self._filters
        return mel.reshape(-1, self.n_mels)[before : before + count]


@functools.cache
def _tables(front_end: FrontEnd) -> tuple[NDArray[np.float32], MelBank]:
    """Give what all streams of a front end share: 100 KB, which the core's caches then hold once."""
    return hann(front_end.n_fft), MelBank(front_end)


def hann(n: int) -> NDArray[np.float32]:
    """Give the periodic Hann window of n samples."""
    window: NDArray[np.float32] = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)).astype(np.float32)
    return window


def mel_edges(front_end: FrontEnd) -> NDArray[np.float64]:
    """Give the n_mels + 2 band edges in Hz, evenly spaced on the mel scale."""
    slaney = front_end.mel_scale == "slaney"
    to_mel, to_hz = (_slaney_mel, _slaney_hz) if slaney else (_htk_mel, _htk_hz)
    low, high = to_mel(np.array([front_end.f_min, front_end.f_max]))
    return to_hz(np.linspace(low, high, front_end.n_mels + 2))


def _htk_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))


def _htk_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))


_SLANEY_LINEAR = 200.0 / 3.0  # Hz per mel below 1 kHz
_SLANEY_LOG = np.log(6.4) / 27.0  # logarithmic step above


def _slaney_mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    above = np.log(np.maximum(hz, 1000.0) / 1000.0) / _SLANEY_LOG
    return np.where(hz < 1000.0, hz / _SLANEY_LINEAR, 15.0 + above)


def _slaney_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = 1000.0 * np.exp(_SLANEY_LOG * (np.maximum(mel, 15.0) - 15.0))
    return np.where(mel < 15.0, mel * _SLANEY_LINEAR, above)
