"""What the baselines hear: named statistics of the network's own log-mel windows.

A window (n_frames, n_mels) becomes one row: the shape of its spectrum and how it swings and
changes, cepstra (the spectrum's coarse shape), onsets and their periods. All are computed from
ratios of powers, so a gain, which adds a constant to log-mel frames, changes none of them.

Sources: Tzanetakis and Cook 2002 (texture statistics, beat histogram), Davis and Mermelstein
1980 (cepstra), Pampalk 2006 (fluctuation patterns).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.flow import Frames
from streamer.signal.mel import mel_edges

Values = NDArray[np.float64]

CEPSTRA = 20
ROLL_OFF = 0.85  # share of the power below it
REGIONS_HZ = (0.0, 120.0, 300.0, 800.0, 2000.0, 4500.0, np.inf)  # bass, low, middle, upper, presence, air
MODULATIONS_HZ = (0.3, 1.0, 2.0, 4.0, 8.0, 16.0)
TEMPI_BPM = np.geomspace(40.0, 240.0, 13)  # edges of twelve bins, a fifth of an octave each


@dataclass(frozen=True, slots=True)
class Feature:
    """One column.

    Attributes:
        family: what it belongs with, for importances of whole families.
        name: readable, unique.
    """

    family: str
    name: str


def features(windows: Frames, front_end: FrontEnd) -> tuple[list[Feature], Values]:
    """Take (n, n_frames, n_mels) windows; give the k columns' names and the (n, k) values."""
    x = windows.astype(np.float64)
    columns: list[Feature] = []
    values: list[Values] = []
    for family, names, part in _parts(x, front_end):
        columns += [Feature(family, name) for name in names]
        values.append(part)
    return columns, np.concatenate(values, axis=1)


def _parts(x: Values, front_end: FrontEnd) -> Iterator[tuple[str, list[str], Values]]:
    """Give families one after the other: name, names of their columns, (n, columns)."""
    hz = mel_edges(front_end)[1:-1]
    bands = [f"{at:.0f} Hz" for at in hz]
    spectrum = x - x.mean(axis=(1, 2), keepdims=True)
    yield "spectrum", [f"level of {band}" for band in bands], spectrum.mean(axis=1)
    yield "swing", [f"swing of {band}" for band in bands], x.std(axis=1)
    yield "change", [f"change of {band}" for band in bands], np.abs(np.diff(x, axis=1)).mean(axis=1)
    tails = np.percentile(x - x.mean(axis=1, keepdims=True), (10, 90), axis=1)
    yield "swing", [f"floor of {band}" for band in bands], tails[0]
    yield "swing", [f"peaks of {band}" for band in bands], tails[1]

    cepstra = x @ _cosines(x.shape[2])
    names = [f"cepstrum {k}" for k in range(1, CEPSTRA + 1)]
    yield "cepstra", names, cepstra.mean(axis=1)
    yield "cepstra", [f"{name}, swing" for name in names], cepstra.std(axis=1)
    yield "cepstra", [f"{name}, change" for name in names], np.abs(np.diff(cepstra, axis=1)).mean(axis=1)

    for name, curve in _shapes(x, hz).items():
        yield "shape", *_summary(name, curve)
    yield "dynamics", *_dynamics(x)
    for name, curve in _onsets(x, hz).items():
        yield "onsets", *_summary(f"onsets, {name}", curve)
        yield "rhythm", *_rhythm(name, curve, front_end.frame_s)
    for name, curve in _regions(x, hz):
        yield "modulation", *_modulation(name, curve, front_end.frame_s)


def _cosines(n_mels: int) -> Values:
    """Give the (n_mels, CEPSTRA) DCT-II without its constant, which is the level."""
    at = (np.arange(n_mels) + 0.5)[:, None] * np.arange(1, CEPSTRA + 1)
    return np.cos(np.pi * at / n_mels) * np.sqrt(2.0 / n_mels)


def _shapes(x: Values, hz: Values) -> dict[str, Values]:
    """Give (n, n_frames) curves of the spectrum's shape; places are in octaves."""
    power = np.exp(x - x.max(axis=2, keepdims=True))
    total = power.sum(axis=2)
    octaves = np.log2(hz)
    centroid = power @ octaves / total
    spread = np.sqrt(np.maximum(power @ octaves**2 / total - centroid**2, 0.0))
    below = np.cumsum(power, axis=2) >= ROLL_OFF * total[:, :, None]
    return {
        "centroid": centroid,
        "spread": spread,
        "roll-off": octaves[below.argmax(axis=2)],
        "flatness": np.log(power).mean(axis=2) - np.log(total / len(hz)),
        "crest": np.log(len(hz) / total),
    }


def _dynamics(x: Values) -> tuple[list[str], Values]:
    level = np.log(np.exp(x - x.max(axis=(1, 2), keepdims=True)).sum(axis=2))
    low, middle, high = np.percentile(level, (10, 50, 90), axis=1)
    quiet = (level < np.log(np.exp(level).mean(axis=1, keepdims=True)) - np.log(4.0)).mean(axis=1)
    rise = np.abs(np.diff(level, axis=1)).mean(axis=1)
    names = ["level, swing", "level, floor", "level, peaks", "level, quiet frames", "level, change"]
    return names, np.stack((level.std(axis=1), middle - low, high - middle, quiet, rise), axis=1)


def _regions(x: Values, hz: Values) -> Iterator[tuple[str, Values]]:
    """Give (n, n_frames) mean log levels of wide regions; one without a band is left out."""
    for low, high in pairwise(REGIONS_HZ):
        inside = (hz >= low) & (hz < high)
        if inside.any():
            name = f"{low:.0f} to {high:.0f} Hz" if np.isfinite(high) else f"above {low:.0f} Hz"
            yield name, x[:, :, inside].mean(axis=2)


def _onsets(x: Values, hz: Values) -> dict[str, Values]:
    """Give (n, n_frames - 1) curves of how much grows louder: spectral flux."""
    rise = np.maximum(np.diff(x, axis=1), 0.0)
    curves = {"all": rise.mean(axis=2)}
    for name, inside in (("bass", hz < REGIONS_HZ[2]), ("treble", hz >= REGIONS_HZ[4])):
        if inside.any():
            curves[name] = rise[:, :, inside].mean(axis=2)
    return curves


def _rhythm(name: str, curve: Values, frame_s: float) -> tuple[list[str], Values]:
    """Give how periodic onsets are: autocorrelation over lags, in bins of tempo, and its peak."""
    n = curve.shape[1]
    spectrum = np.fft.rfft(curve - curve.mean(axis=1, keepdims=True), 2 * n, axis=1)
    correlation = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n]
    correlation = correlation / np.maximum(correlation[:, :1], 1e-12)
    bpm = 60.0 / (np.maximum(np.arange(n), 1) * frame_s)
    names, values = [], []
    for low, high in pairwise(TEMPI_BPM):
        inside = np.flatnonzero((bpm >= low) & (bpm < high))
        if len(inside):
            names.append(f"period of {low:.0f} to {high:.0f} bpm, {name}")
            values.append(correlation[:, inside].max(axis=1))
    inside = np.flatnonzero((bpm >= TEMPI_BPM[0]) & (bpm < TEMPI_BPM[-1]))
    best = correlation[:, inside].argmax(axis=1)
    names += [f"tempo in octaves, {name}", f"strength of the beat, {name}"]
    values += [np.log2(bpm[inside][best]), correlation[:, inside].max(axis=1)]
    return names, np.stack(values, axis=1)


def _modulation(name: str, curve: Values, frame_s: float) -> tuple[list[str], Values]:
    """Give the logarithm of a region's swing at slow to fast rates."""
    window = np.hanning(curve.shape[1])
    spectrum = np.abs(np.fft.rfft((curve - curve.mean(axis=1, keepdims=True)) * window, axis=1)) ** 2
    hz = np.fft.rfftfreq(curve.shape[1], frame_s)
    names, values = [], []
    for low, high in pairwise(MODULATIONS_HZ):
        inside = (hz >= low) & (hz < high)
        names.append(f"swing at {low:g} to {high:g} Hz of {name}")
        values.append(np.log(spectrum[:, inside].mean(axis=1) + 1e-6))
    return names, np.stack(values, axis=1)


def _summary(name: str, curve: Values) -> tuple[list[str], Values]:
    """Give mean, swing and tails of (n, time) curves."""
    low, high = np.percentile(curve, (10, 90), axis=1)
    names = [f"{name}, mean", f"{name}, swing", f"{name}, low", f"{name}, high"]
    return names, np.stack((curve.mean(axis=1), curve.std(axis=1), low, high), axis=1)
