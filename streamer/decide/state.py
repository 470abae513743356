"""Which state and genre to say: what leads, held against short-lived challengers."""

from dataclasses import dataclass

import numpy as np

from streamer.contract import Contract
from streamer.flow import Probabilities, State

EMPTY_STATES: frozenset[State] = frozenset({"silence", "no-signal", "unsure"})
"""What holds nothing that would have to be given up: left for anything at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A state, and its genre in state `music`."""

    state: State
    genre: str | None = None


SILENCE = Answer("silence")
UNSURE = Answer("unsure")


class Labels:
    """Reads answers off probabilities, as the contract's labels and threshold say.

    Music, speech and noise are weighed as wholes first: twelve genres that share
    the probability of music must not lose to one `noise`.
    """

    def __init__(self, contract: Contract) -> None:
        self._labels = contract.labels
        self._genres = np.array([label not in contract.not_music for label in contract.labels])
        self._unsure_below = contract.decision.unsure_below

    def answer(self, probabilities: Probabilities) -> Answer:
        """Take (n_labels,) probabilities; give what they say."""
        music = float(probabilities[self._genres].sum())
        other = int(np.where(self._genres, -1.0, probabilities).argmax())
        if not self._genres[other] and probabilities[other] > music:
            return Answer("speech" if self._labels[other] == "speech" else "noise")
        genre, confidence = self.genre(probabilities)
        return UNSURE if confidence < self._unsure_below else Answer("music", genre)

    def genre(self, probabilities: Probabilities) -> tuple[str, float]:
        """Give the most probable genre and its probability."""
        best = int(np.where(self._genres, probabilities, -1.0).argmax())
        return self._labels[best], float(probabilities[best])

    def confidence(self, said: Answer, probabilities: Probabilities | None) -> float:
        """Give the probability of what is said; of the leading genre where that is `unsure`.

        Silence has no probabilities: it is measured and not guessed, 1.0.
        """
        if probabilities is None:
            return 1.0
        if said.genre is not None:
            return float(probabilities[self._labels.index(said.genre)])
        if said.state == "unsure":
            return self.genre(probabilities)[1]
        if said.state == "speech" and "speech" in self._labels:
            return float(probabilities[self._labels.index("speech")])
        return float(np.where(self._genres, 0.0, probabilities).max())

    def top(self, probabilities: Probabilities) -> tuple[str, float]:
        """Give the most probable label and its probability."""
        best = int(probabilities.argmax())
        return self._labels[best], float(probabilities[best])


# Rivals that take turns faster than `dwell_s` would keep an answer for ever that nothing leads to:
# after so many dwells without it the answer is `unsure`.
DISPUTED = 5


class StateKeeper:
    """Says a new answer once it has led for `dwell_s`; silence at once, and whatever follows nothing."""

    def __init__(self, dwell_s: float) -> None:
        self._dwell_s = dwell_s
        self._said = Answer("no-signal")
        self._since_s = 0.0
        self._rival: Answer | None = None
        self._rival_since_s = 0.0
        self._led_s = 0.0  # where the answer that is said led last

    def push(self, leads: Answer, position_s: float) -> tuple[Answer, float]:
        """Take what leads now; give what to say and since which position it is so."""
        if leads == self._said:
            self._rival, self._led_s = None, position_s
            return self._said, self._since_s
        if leads != self._rival:
            self._rival, self._rival_since_s = leads, position_s
        at_once = leads == SILENCE or self._said.state in EMPTY_STATES
        if at_once or position_s - self._rival_since_s >= self._dwell_s:
            self._say(leads, self._rival_since_s, position_s)
        elif position_s - self._led_s > DISPUTED * self._dwell_s:
            self._say(UNSURE, position_s, position_s)
        return self._said, self._since_s

    def _say(self, answer: Answer, since_s: float, position_s: float) -> None:
        self._said, self._since_s, self._led_s, self._rival = answer, since_s, position_s, None
