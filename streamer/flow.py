"""What flows through the rooms: events of a source, windows, verdicts. Data only, no behaviour.

Shapes and units are stated once, here. Sample indices are the only clock inside;
wall time is attached once, in `engine.clock`, and is in seconds since the epoch (UTC).
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""Mono audio, shape (n,), full scale is 1.0."""

MultiSamples: TypeAlias = NDArray[np.float32]
"""Audio as the source had it, shape (n, channels), full scale is 1.0."""

Frames: TypeAlias = NDArray[np.float32]
"""Log-mel frames, shape (k, n_mels), oldest first."""

Probabilities: TypeAlias = NDArray[np.float32]
"""Calibrated probabilities in the order of the model's labels, shape (n_labels,), sums to 1."""

State: TypeAlias = Literal["music", "speech", "noise", "silence", "unsure", "no-signal"]


@dataclass(frozen=True, slots=True)
class Format:
    """What a source says it sends; a new one when it changes on the way. Rate in Hz, bitrate in bit/s."""

    codec: str
    rate: int
    channels: int
    bitrate: int | None = None


@dataclass(frozen=True, slots=True)
class Title:
    """The title that plays from here on; empty when the source says that none does."""

    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples as the source had them: never resampled, never mixed down.

    Attributes:
        samples: (n, channels) float32; n is 0 only where the block tells what was skipped.
        rate: sample rate in Hz.
        lost: samples (of this rate) that were lost between the block before and this one.
        skipped: samples that were passed over there undecoded, as `Source.skip` asked for.
    """

    samples: MultiSamples
    rate: int
    lost: int = 0
    skipped: int = 0


SourceEvent: TypeAlias = Format | Title | Block


@dataclass(frozen=True, slots=True)
class Window:
    """The last seconds of a station, ready for the model.

    Attributes:
        frames: (n_frames, n_mels) float32, not to be written to.
        end: index of the sample after the window's last one, at the model's rate,
            counted from the source's opening (lost samples included).
        gap: True when samples were lost inside the window.
        level_dbfs: RMS of the window; None for digital silence.
        recent_dbfs: RMS of the window's last second, so that silence is seen at once.
        new: how many of its frames the window before did not have; None where they share none.
    """

    frames: Frames
    end: int
    gap: bool
    level_dbfs: float | None
    recent_dbfs: float | None
    new: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of a station now.

    Attributes:
        state: see `State`.
        genre: a music label, set only in state `music`.
        confidence: smoothed probability of what is said, 0..1.
        since_s: position (seconds since the source opened) where this state and genre began.
        position_s: position of the window that led to this verdict.
        probabilities: smoothed, in the model's order; None before the first window.
        window_label: the most probable label of this one window; None in silence.
        window_confidence: its probability.
    """

    state: State
    genre: str | None
    confidence: float
    since_s: float
    position_s: float
    probabilities: Probabilities | None
    window_label: str | None = None
    window_confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class TrackVerdict:
    """What is said of a whole track, when it has ended.

    Attributes:
        title: as the source named it; None for a run of one genre without titles.
        start_s, end_s: positions since the source opened.
        genre: most probable music label over its music windows; None without music.
        confidence: mean probability of that label.
        probabilities: mean over its music windows; None without music.
        shares: share of its time in each state, sums to 1.
        windows: how many windows it is made of.
    """

    title: str | None
    start_s: float
    end_s: float
    genre: str | None
    confidence: float
    probabilities: Probabilities | None
    shares: dict[State, float]
    windows: int
