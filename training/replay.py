"""Runs window probabilities through the streamer's decider: one decision as it is, or many at once.

`replay` is the decider itself, window by window. `say_many` says the same for any number of settings in
one pass, with arrays in the place of the decider's single values (tests/training/test_tune.py holds
them against each other).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.contract import Decision
from streamer.decide.decider import Decider, which_lead
from streamer.decide.smooth import Mean
from streamer.decide.state import Lead
from streamer.flow import Frames, Probabilities, Window
from training.heard import Heard

UNSURE, SILENT, NOTHING = -1, -2, -3
_NO_FRAMES: Frames = np.empty((0, 0), np.float32)


class Filter(Protocol):
    """What chooses between labels instead of the streamer's own mean, to be compared with it."""

    def push(self, probabilities: Probabilities, new_s: float) -> NDArray[np.float64]:
        """Take (n_labels,) probabilities and their new seconds; give (..., n_labels) that sum to 1."""

    def boundary(self) -> None:
        """Take note that another label is likelier from here."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is said at each of a programme's n windows.

    Attributes:
        heard: the programme.
        said: (n,) a genre's index, `n_labels` for speech, `n_labels + 1` for noise, UNSURE or SILENT.
        right: (n,) the answers that would be right; SILENT in a silent piece.
        confidence: (n,) as published.
        smoothed: (n, n_labels) as published; even in silence.
    """

    heard: Heard
    said: NDArray[np.int64]
    right: NDArray[np.int64]
    confidence: NDArray[np.float64]
    smoothed: NDArray[np.float64]


def replay(
    heard: Heard,
    probabilities: NDArray[np.float32],
    decision: Decision,
    *,
    titles: bool = False,
) -> Told:
    """Run a programme's window probabilities, (n, n_labels), through the decider.

    Args:
        heard: the programme.
        probabilities: calibrated.
        decision: what to try.
        titles: tell the decider each piece's beginning as a new title.
    """
    contract = heard.contract(decision)
    labels, n = contract.labels, len(contract.labels)
    step_s = float(np.diff(heard.position_s).min()) if len(heard.position_s) > 1 else 1.0
    decider = Decider(contract, step_s)
    codes = {("music", label): at for at, label in enumerate(labels)}
    codes |= {("speech", None): n, ("noise", None): n + 1, ("silence", None): SILENT}
    said = np.full(len(probabilities), UNSURE)
    confidence = np.zeros(len(probabilities))
    smoothed = np.full((len(probabilities), n), 1.0 / n)
    last = -1
    for at, p in enumerate(probabilities):
        piece = int(heard.piece[at])
        if titles and piece != last:
            decider.title(f"piece {piece}", float(heard.bounds[piece]))
        last = piece
        level = float(heard.recent_dbfs[at])
        window = Window(_NO_FRAMES, int(heard.ends[at]), False, level, level)
        verdict, _ = decider.push(window, None if decider.is_silent(window) else p)
        said[at] = codes.get((verdict.state, verdict.genre), UNSURE)
        confidence[at] = verdict.confidence
        if verdict.probabilities is not None:
            smoothed[at] = verdict.probabilities
    return Told(heard, said, right_answers(heard), confidence, smoothed)


def right_answers(heard: Heard) -> NDArray[np.int64]:
    """Give (n,) the answers that would be right; see `Told`."""
    return np.append(_codes(heard), SILENT)[heard.target]  # target -1 is silence


def say_many(
    heard: Heard,
    probabilities: NDArray[np.float32],
    decisions: Sequence[Decision],
    *,
    titles: bool = False,
    chooser: Filter | None = None,
) -> NDArray[np.int64]:
    """Give the (decisions, n) answers of many decisions at once, as `Told.said`; see `replay`.

    Args:
        heard, probabilities, titles: see `replay`.
        decisions: what to try; `silence_dbfs` is that of the first.
        chooser: chooses between labels, for all decisions; their own means where None.
    """
    many = _Many(heard, decisions, chooser)
    said = np.empty((len(probabilities), len(decisions)), np.int64)
    last = -1
    for at, p in enumerate(probabilities):
        if titles and heard.piece[at] != last:
            many.title(float(heard.bounds[heard.piece[at]]))
        last = int(heard.piece[at])
        silent = heard.recent_dbfs[at] < decisions[0].silence_dbfs
        said[at] = many.push(None if silent else p, float(heard.position_s[at]))
    return said.T


class _Many:
    """`Decider`, `StateKeeper` and `Labels` of many decisions; see there for the reasons."""

    def __init__(self, heard: Heard, decisions: Sequence[Decision], chooser: Filter | None) -> None:
        contract = heard.contract(decisions[0])
        of = {
            name: np.array([getattr(decision, name) for decision in decisions])
            for name in Decision.__struct_fields__
        }
        column = {name: values[:, None] for name, values in of.items()}
        self._music = np.array([label not in contract.not_music for label in contract.labels])
        self._mean = Mean(column["half_life_s"], column["sharpness"], column["boundary_keeps"])
        self._chooser = chooser
        self._of, self._rows = of, np.arange(len(decisions))
        self._codes = _codes(heard)
        self._window_s = contract.front_end.window_s
        self._held = np.full(len(decisions), NOTHING)
        self._said = np.full(len(decisions), NOTHING)
        self._smoothed_s = self._silent_until_s = self._new_title_s = -self._window_s
        self._silence = self._titled = False

    def title(self, position_s: float) -> None:
        self._new_title_s, self._titled = position_s, True
        self._boundary()

    def push(self, probabilities: Probabilities | None, position_s: float) -> NDArray[np.int64]:
        boundary_s, middle_s = max(self._silent_until_s, self._new_title_s), position_s - self._window_s / 2
        if probabilities is None:
            if not self._silence:
                self._boundary()
            self._silent_until_s, self._silence = position_s, True
            self._held, self._said = np.full_like(self._held, NOTHING), np.full_like(self._said, SILENT)
            return self._said
        self._silence = False
        if middle_s < boundary_s:
            if middle_s < self._silent_until_s:
                self._said = np.full_like(self._said, UNSURE)
            else:
                leader = self._leader(self._spread(probabilities))
                enough = np.where(self._music[leader], self._of["unsure_below"], self._of["other_below"])
                answer = np.where(probabilities[leader] >= enough, self._codes[leader], UNSURE)
                self._said = np.where(self._said >= 0, self._said, answer)
            return self._said
        new_s = min(position_s - max(self._smoothed_s, boundary_s), self._window_s)
        self._smoothed_s = position_s
        smoothed = self._mean.push(probabilities, new_s)
        weights = smoothed if self._chooser is None else self._chooser.push(probabilities, new_s)
        lead = which_lead(position_s - self._new_title_s if self._titled else None)
        self._said = self._choose(self._spread(weights), self._spread(smoothed), lead)
        return self._said

    def _boundary(self) -> None:
        self._mean.boundary()
        if self._chooser is not None:
            self._chooser.boundary()

    def _spread(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.broadcast_to(values, (len(self._rows), values.shape[-1]))

    def _choose(
        self, weights: NDArray[np.floating], smoothed: NDArray[np.floating], which: Lead
    ) -> NDArray[np.int64]:
        leader = self._leader(weights)
        held = np.where(self._held == NOTHING, leader, self._held)
        music = weights[:, self._music].sum(axis=1) / self._of["music_odds"]
        same = self._music[leader] == self._music[held]
        ahead = np.where(same | ~self._music[leader], weights[self._rows, leader], music)
        behind = np.where(same | ~self._music[held], weights[self._rows, held], music)
        genres = self._music[leader] & self._music[held]
        lead = np.where(genres, self._of[which], self._of["kind_lead"])
        self._held = np.where((self._held == NOTHING) | (ahead / behind >= lead), leader, held)
        answer = self._codes[self._held]
        kept = np.where(answer == self._said, self._of["keep_above"], self._of["unsure_below"])
        enough = np.where(self._music[self._held], kept, self._of["other_below"])
        return np.where(smoothed[self._rows, self._held] >= enough, answer, UNSURE)

    def _leader(self, values: NDArray[np.floating]) -> NDArray[np.int64]:
        music = values[:, self._music].sum(axis=1) / self._of["music_odds"]
        others = np.where(self._music, -1.0, values)
        genres = np.where(self._music, values, -1.0).argmax(axis=1)
        return np.where(others.max(axis=1) > music, others.argmax(axis=1), genres)


def _codes(heard: Heard) -> NDArray[np.int64]:
    """Give (n_labels,) the answer that each label is; see `Told.said`."""
    labels, not_music = heard.state.labels, heard.state.recipe.not_music
    n = len(labels)
    return np.array(
        [at if name not in not_music else n if name == "speech" else n + 1 for at, name in enumerate(labels)]
    )
