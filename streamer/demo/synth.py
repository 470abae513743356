"""Sound from nothing but NumPy: oscillators, strings, noise, filters, a room and a mixing desk.

Sounds are (n,) float32 at `RATE`, mixes (n, 2). Nothing loops over samples, so that a
minute of radio is rendered in about two seconds. All chance comes from the generator
that is handed in: the same seed gives the same sound.
"""

import numpy as np
from numpy.typing import NDArray

from streamer.flow import MultiSamples, Samples

RATE = 44_100  # Hz, of everything in the demo: what most radio streams have
TABLE = 4096  # samples in a wave table: the nearest one is then right to -70 dB


def length(seconds: float) -> int:
    """Give the samples in so many seconds."""
    return round(seconds * RATE)


def pitch(note: float) -> float:
    """Give the Hz of a MIDI note: 69 is the A of 440 Hz."""
    return float(440.0 * 2.0 ** ((note - 69.0) / 12.0))


def noise(rng: np.random.Generator, seconds: float) -> Samples:
    """Give white noise, RMS 1."""
    return rng.standard_normal(length(seconds), dtype=np.float32)


def envelope(seconds: float, *points: tuple[float, float]) -> Samples:
    """Give straight lines through (time in s, value) points; the first and last value hold outside."""
    times, values = zip(*points, strict=True)
    clock = np.arange(length(seconds)) / RATE
    line: Samples = np.interp(clock, times, values).astype(np.float32)
    return line


def decay(seconds: float, time_constant_s: float) -> Samples:
    """Give an exponential fall from 1, to 0.37 after the time constant."""
    clock = np.arange(length(seconds), dtype=np.float32) / RATE
    fall: Samples = np.exp(-clock / np.float32(time_constant_s))
    return fall


def wave(harmonics: NDArray[np.float64]) -> Samples:
    """Give one period, `TABLE` samples, of the sum of harmonics with these amplitudes (the first is 1 f)."""
    spectrum = np.zeros(TABLE // 2 + 1, np.complex128)
    spectrum[1 : len(harmonics) + 1] = -0.5j * TABLE * harmonics
    return np.fft.irfft(spectrum).astype(np.float32)


def harmonics_below(f_hz: float, limit_hz: float = 0.45 * RATE) -> NDArray[np.float64]:
    """Give the numbers 1, 2, 3... of the harmonics of a tone up to a frequency: no aliasing beyond."""
    return np.arange(1, max(2, int(limit_hz / f_hz) + 1), dtype=np.float64)


def oscillate(
    table: Samples, f_hz: float | NDArray[np.float64], seconds: float, phase: float = 0.0
) -> Samples:
    """Read a wave table at a frequency, which may be an array that moves with time.

    Args:
        table: one period, as `wave` gives it.
        f_hz: one number, or one for each sample.
        seconds: how long.
        phase: where to begin, in periods.
    """
    count = length(seconds)
    if isinstance(f_hz, np.ndarray):
        periods = np.cumsum(f_hz[:count], dtype=np.float64) / RATE + phase
    else:
        periods = np.arange(count, dtype=np.float64) * (f_hz / RATE) + phase
    return table[(periods * TABLE).astype(np.int64) % TABLE]


def pluck(
    rng: np.random.Generator, f_hz: float, seconds: float, *, ring: float, pick: float = 0.5
) -> Samples:
    """Give a plucked string (Karplus and Strong, 1983), a whole period at a time.

    Args:
        rng: makes the noise that the string starts with.
        f_hz: the string's pitch.
        seconds: how long.
        ring: what is left of the tone after a period, just under 1; a muted string has less.
        pick: 1 is a plectrum's bright attack, 0 a soft thumb.
    """
    period = RATE / f_hz
    whole = int(period - 0.5)
    part = period - 0.5 - whole  # the taps below delay by half a sample and this
    taps = np.array([0.5 * (1.0 - part), 0.5, 0.5 * part], np.float32) * np.float32(ring)
    burst = rng.standard_normal(whole, dtype=np.float32)
    soft = np.convolve(np.concatenate((burst, burst[:16])), np.full(17, 1 / 17, np.float32), "valid")
    burst = np.float32(pick) * burst + np.float32(3.0 * (1.0 - pick)) * soft[:whole]
    rows = -(-length(seconds) // whole)
    string = np.zeros((rows + 1, whole), np.float32)
    string[0] = burst - burst.mean()
    flat = string.reshape(-1)
    for row in range(1, rows + 1):
        start = row * whole
        before = flat[max(0, start - whole - 2) : start]
        if row == 1:
            before = np.concatenate((before[-2:], before))
        flat[start : start + whole] = np.convolve(before, taps, "valid")
    return flat[: length(seconds)].copy()


def equalise(sound: MultiSamples, *curve: tuple[float, float]) -> MultiSamples:
    """Filter a sound of any number of channels by a curve of (Hz, dB) points, straight in log frequency.

    Linear phase: nothing is delayed. Steep slopes are written as two near points.
    """
    size = fast_size(len(sound) + RATE // 20)  # what rings over the end must not come round to the start
    hz, db = zip(*curve, strict=True)
    bins = np.fft.rfftfreq(size, 1 / RATE)
    gain = 10.0 ** (np.interp(np.log(np.maximum(bins, 1.0)), np.log(hz), db) / 20.0)
    shape = (-1,) + (1,) * (sound.ndim - 1)
    spectrum = np.fft.rfft(sound, size, axis=0) * gain.astype(np.float32).reshape(shape)
    filtered = np.fft.irfft(spectrum, size, axis=0)[: len(sound)]
    return filtered.astype(np.float32, copy=False)


def fast_size(n: int) -> int:
    """Give a size of at least n whose transform is quick: 2^a, 3 * 2^a or 5 * 2^a."""
    return min(m << max(0, int(np.ceil(np.log2(n / m)))) for m in (1, 3, 5))


def drive(sound: MultiSamples, gain: float) -> MultiSamples:
    """Overload an amplifier: odd harmonics and compression, more with more gain; within -1..1."""
    loud: MultiSamples = np.tanh(sound * np.float32(gain))
    return loud


class Mix:
    """A stereo mix of a known length, to which sounds are added at their time.

    Args:
        seconds: of the mix; what sounds longer is cut.
    """

    def __init__(self, seconds: float) -> None:
        self.samples: MultiSamples = np.zeros((length(seconds), 2), np.float32)

    def add(self, sound: MultiSamples, at_s: float, gain: float = 1.0, pan: float = 0.0) -> None:
        """Add a sound, mono or stereo; pan is -1 for left to 1 for right."""
        start = length(max(0.0, at_s))
        room = self.samples[start : start + len(sound)]
        if sound.ndim == 2:
            room += np.float32(gain) * sound[: len(room)]
            return
        angle = (pan + 1.0) * np.pi / 4
        for channel, share in enumerate((np.cos(angle), np.sin(angle))):
            room[:, channel] += np.float32(gain * share) * sound[: len(room)]

    def add_room(self, rng: np.random.Generator, seconds: float, wet: float) -> None:
        """Add the reverberation of a room: noise that falls by 60 dB in `seconds`, its treble sooner."""
        fall = decay(seconds, seconds / 6.9)  # ln(1000), which is 60 dB
        tail = rng.standard_normal((len(fall), 2), dtype=np.float32) * fall[:, np.newaxis]
        tail = equalise(tail, (100, -12), (250, 0), (2500, 0), (8000, -14))
        tail[: length(0.012)] = 0.0  # the first wall is some metres away
        tail /= np.sqrt(np.square(tail).sum(axis=0))
        size = fast_size(len(self.samples) + len(tail))
        wet_sound = np.fft.irfft(
            np.fft.rfft(self.samples, size, axis=0) * np.fft.rfft(tail, size, axis=0), size, axis=0
        )
        self.samples += np.float32(wet) * wet_sound[: len(self.samples)]


def master(sound: MultiSamples, rms_dbfs: float, fade_s: float = 0.03) -> MultiSamples:
    """Bring a mix to a loudness, round its peaks off below full scale, fade its ends."""
    rms = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) + 1e-12
    loud = sound * np.float32(10.0 ** (rms_dbfs / 20.0) / rms)
    loud = np.float32(0.9) * np.tanh(loud / np.float32(0.9))
    seconds = len(loud) / RATE
    fade = envelope(seconds, (0.0, 0.0), (fade_s, 1.0), (seconds - fade_s, 1.0), (seconds, 0.0))
    final: MultiSamples = loud * fade[:, np.newaxis]
    return final
