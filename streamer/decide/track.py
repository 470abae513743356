"""The verdict for each whole track: by its title, or by a long run of one genre where there are no titles."""

import numpy as np
from numpy.typing import NDArray

from streamer.contract import Contract
from streamer.decide.state import Labels
from streamer.flow import Probabilities, State, TrackVerdict, Verdict


class TrackKeeper:
    """Gathers windows until a track ends.

    A window counts for a track when all of it lies inside; the seconds of each
    state count from the moment that the track began.
    """

    def __init__(self, contract: Contract, labels: Labels) -> None:
        self._labels = labels
        self._nothing = np.zeros(len(contract.labels))
        self._window_s = contract.front_end.window_s
        self._shortest_run_s = contract.decision.track_s
        self._title: str | None = None
        self._run: tuple[State, str | None] = ("no-signal", None)
        self._start_s = self._last_s = 0.0
        self._seconds: dict[State, float] = {}
        self._sum: NDArray[np.float64] = self._nothing
        self._windows = self._music_windows = 0

    def title(self, text: str | None, position_s: float) -> TrackVerdict | None:
        """Take the title that plays from here, None for none; give the verdict of the track that it ends."""
        ended = self.finish(position_s)
        self._title = text
        return ended

    def push(self, verdict: Verdict, probabilities: Probabilities | None) -> TrackVerdict | None:
        """Take what is said of a window and its own probabilities; give the untitled run that it ends."""
        ended = None
        if self._title is None and (verdict.state, verdict.genre) != self._run:
            ended = self.finish(verdict.position_s)
            self._run = (verdict.state, verdict.genre)
        # What was lost was heard in no state: a window vouches for its own length at most.
        seconds = min(max(verdict.position_s - self._last_s, 0.0), self._window_s)
        self._seconds[verdict.state] = self._seconds.get(verdict.state, 0.0) + seconds
        self._last_s = verdict.position_s
        self._windows += 1
        inside = verdict.position_s - self._window_s >= self._start_s - 1e-6
        if probabilities is not None and inside and verdict.state in ("music", "unsure"):
            self._sum = self._sum + probabilities
            self._music_windows += 1
        return ended

    def finish(self, position_s: float) -> TrackVerdict | None:
        """Give the verdict of what has been gathered, where it is a track, and begin anew."""
        ended = self._verdict(position_s)
        self._begin(position_s)
        return ended

    def _verdict(self, position_s: float) -> TrackVerdict | None:
        seconds = position_s - self._start_s
        titled = self._title is not None and self._windows > 0
        run = self._title is None and self._run[0] == "music" and seconds >= self._shortest_run_s
        if not (titled or run):
            return None
        total = sum(self._seconds.values())
        shares = {state: s / total for state, s in self._seconds.items()} if total > 0 else {}
        mean: Probabilities | None = None
        genre, confidence = None, 0.0
        if self._music_windows:
            mean = (self._sum / self._music_windows).astype(np.float32)
            genre, confidence = self._labels.genre(mean)
        return TrackVerdict(
            title=self._title,
            start_s=self._start_s,
            end_s=position_s,
            genre=genre,
            confidence=confidence,
            probabilities=mean,
            shares=shares,
            windows=self._windows,
        )

    def _begin(self, position_s: float) -> None:
        self._start_s = self._last_s = position_s
        self._run = ("no-signal", None)
        self._seconds = {}
        self._sum = self._nothing
        self._windows = self._music_windows = 0
