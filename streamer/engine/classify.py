"""Whole files as fast as they can be decoded: what `genrecast classify` says, for programs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.contract import Contract
from streamer.decide.state import Labels
from streamer.errors import TooShortError
from streamer.flow import Block, Probabilities, State, Window
from streamer.model.session import Model
from streamer.signal.front_end import FrontEndStream
from streamer.signal.window import SHORTEST_S
from streamer.source.file import read_file

HOP_S = 3.0  # windows side by side: accuracy over a file hardly gains from overlap (docs/model-card.md)
BATCH = 32


@dataclass(frozen=True, slots=True)
class Segment:
    """One window of a file: from, to (seconds), and what it is by itself."""

    start_s: float
    end_s: float
    state: State
    genre: str | None
    confidence: float
    probabilities: Probabilities | None


@dataclass(frozen=True, slots=True)
class Classification:
    """What a whole file is.

    Attributes:
        state: of most of its windows; `silence` only where no window is louder.
        genre: set in state `music`.
        confidence: probability of what is said.
        probabilities: mean over the windows that are not silent; None where all are.
        seconds: of audio.
        segments: window by window.
    """

    state: State
    genre: str | None
    confidence: float
    probabilities: Probabilities | None
    seconds: float
    segments: list[Segment]


def classify_file(path: Path, model: Model, beat: Callable[[], None] = lambda: None) -> Classification:
    """Classify a media file.

    Memory does not grow with the file but for the segments, 100 bytes a second.

    Args:
        path: of the file.
        model: loaded.
        beat: called after each minute or two of audio.

    Raises:
        SourceError: the file can't be read or holds no audio.
        TooShortError: it holds less than a second.
    """
    contract = model.contract
    front_end = FrontEndStream(contract.front_end, HOP_S)
    segments: list[Segment] = []
    for batch in _batches(path, front_end):
        segments += _judge(batch, model)
        beat()
    if not segments or front_end.position_s < SHORTEST_S:
        raise TooShortError(
            f"{path}: {front_end.position_s:.2f} s of audio are too short to be judged",
            remedy="give at least one second",
            final=True,
        )
    return _sum_up(segments, contract, front_end.position_s)


def _batches(path: Path, front_end: FrontEndStream) -> Iterator[list[Window]]:
    """Give a file's windows, `BATCH` at a time."""
    windows: list[Window] = []
    for event in read_file(path):
        if isinstance(event, Block):
            windows += front_end.push(event)
            if len(windows) >= BATCH:
                yield windows
                windows = []
    yield windows + front_end.flush()


def _judge(windows: list[Window], model: Model) -> list[Segment]:
    contract = model.contract
    labels, rate = Labels(contract), contract.front_end.sample_rate
    window_s = contract.front_end.window_s
    floor_dbfs = contract.decision.silence_dbfs
    silent = [window.level_dbfs is None or window.level_dbfs < floor_dbfs for window in windows]
    loud = [window.frames for window, mute in zip(windows, silent, strict=True) if not mute]
    answers: Iterator[NDArray[np.float32]] = iter(model.infer(np.stack(loud)) if loud else ())
    segments = []
    for window, mute in zip(windows, silent, strict=True):
        end_s = window.end / rate
        start_s = max(end_s - window_s, 0.0)
        if mute:
            segments.append(Segment(start_s, end_s, "silence", None, 1.0, None))
            continue
        probabilities = next(answers)
        said = labels.answer(probabilities)
        confidence = labels.confidence(said, probabilities)
        segments.append(Segment(start_s, end_s, said.state, said.genre, confidence, probabilities))
    return segments


def _sum_up(segments: list[Segment], contract: Contract, seconds: float) -> Classification:
    heard = [segment.probabilities for segment in segments if segment.probabilities is not None]
    if not heard:
        return Classification("silence", None, 1.0, None, seconds, segments)
    mean: Probabilities = np.stack(heard).mean(axis=0, dtype=np.float64).astype(np.float32)
    labels = Labels(contract)
    said = labels.answer(mean)
    return Classification(said.state, said.genre, labels.confidence(said, mean), mean, seconds, segments)
