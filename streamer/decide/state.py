"""Which state and genre to say: what leads, held against challengers that lead by little."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from streamer.contract import Contract
from streamer.flow import Probabilities, State


@dataclass(frozen=True, slots=True)
class Answer:
    """A state, and its genre in state `music`."""

    state: State
    genre: str | None = None


SILENCE = Answer("silence")
UNSURE = Answer("unsure")


class Labels:
    """Reads answers off probabilities, as the contract's labels and thresholds say.

    Music, speech and noise are weighed as wholes first: twelve genres that share
    the probability of music must not lose to one `noise`.
    """

    def __init__(self, contract: Contract) -> None:
        self._labels = contract.labels
        self._decision = contract.decision
        self._is_genre = tuple(label not in contract.not_music for label in contract.labels)
        self._genres = np.flatnonzero(self._is_genre)
        self._others = np.flatnonzero(np.logical_not(self._is_genre))
        self._answers = tuple(
            Answer("music", label) if music else Answer("speech" if label == "speech" else "noise")
            for label, music in zip(contract.labels, self._is_genre, strict=True)
        )

    def answer(self, probabilities: Probabilities) -> Answer:
        """Take the (n_labels,) probabilities of one window, or of a whole file; give what they say."""
        leader = self.leader(probabilities)
        below = self._decision.unsure_below if self._is_genre[leader] else self._decision.other_below
        return UNSURE if probabilities[leader] < below else self.name(leader)

    def leader(self, probabilities: Probabilities) -> int:
        """Give the index of the leading label: the best genre where music outweighs speech and noise."""
        genres, others = probabilities[self._genres], probabilities[self._others]
        genre = genres.argmax()
        if len(others):
            other = others.argmax()
            # One genre mostly outweighs it by itself: then the sum of all, which costs more, is not needed.
            alone = float(genres[genre]) / self._decision.music_odds
            if others[other] > alone and others[other] > self._music(genres):
                return int(self._others[other])
        return int(self._genres[genre])

    def odds(self, probabilities: Probabilities, label: int, against: int) -> float:
        """Give how much likelier a label is than another; music as a whole against speech or noise."""
        if self._is_genre[label] == self._is_genre[against]:
            return float(probabilities[label] / probabilities[against])
        music = self._music(probabilities[self._genres])
        odds = music / probabilities[against] if self._is_genre[label] else probabilities[label] / music
        return float(odds)

    def is_genre(self, label: int) -> bool:
        """Say whether a label is music."""
        return self._is_genre[label]

    def _music(self, genres: Probabilities) -> float:
        """Give the weight of music against speech or noise, from the probabilities of genres."""
        return float(np.add.reduce(genres)) / self._decision.music_odds

    def name(self, label: int) -> Answer:
        """Give a label as what is said of it."""
        return self._answers[label]

    def genre(self, probabilities: Probabilities) -> tuple[str, float]:
        """Give the most probable genre and its probability."""
        best = int(self._genres[probabilities[self._genres].argmax()])
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
        return float(probabilities[self._others].max())

    def top(self, probabilities: Probabilities) -> tuple[str, float]:
        """Give the most probable label and its probability."""
        best = int(probabilities.argmax())
        return self._labels[best], float(probabilities[best])


Lead: TypeAlias = Literal["lead", "new_title_lead", "titled_lead"]
"""Which of the decision's leads counts: of music without titles, of a new title, or deep in one."""


class StateKeeper:
    """Chooses what to say: the label that it holds to, where its smoothed probability suffices.

    Another label takes over when it is likelier by a factor: `lead` from genre to genre, `new_title_lead`
    while a title is new, `titled_lead` deep in it, `kind_lead` where speech or noise is in it. A genre is
    said from `unsure_below` on, and then kept while it stays over `keep_above`.
    """

    def __init__(self, contract: Contract, labels: Labels) -> None:
        self._decision = contract.decision
        self._labels = labels
        self._held: int | None = None
        self._said = Answer("no-signal")
        self._since_s = 0.0

    @property
    def said(self) -> Answer:
        """What is said."""
        return self._said

    def choose(self, probabilities: Probabilities, lead: Lead = "lead") -> Answer:
        """Take (n_labels,) smoothed probabilities, and which lead counts between genres; give an answer."""
        leader, held = self._labels.leader(probabilities), self._held
        if held is None or (
            leader != held
            and self._labels.odds(probabilities, leader, held) >= self._odds_needed(leader, held, lead)
        ):
            held = self._held = leader
        answer = self._labels.name(held)
        if answer.genre is None:
            enough = self._decision.other_below
        else:
            enough = self._decision.keep_above if answer == self._said else self._decision.unsure_below
        return answer if probabilities[held] >= enough else UNSURE

    def _odds_needed(self, leader: int, held: int, lead: Lead) -> float:
        """Give the odds by which a leader must outweigh the label that is held."""
        if not (self._labels.is_genre(leader) and self._labels.is_genre(held)):
            return self._decision.kind_lead
        needed: float = getattr(self._decision, lead)
        return needed

    def say(self, answer: Answer, position_s: float) -> tuple[Answer, float]:
        """Take what is to be said; give it and since which position it is so."""
        if answer == SILENCE:
            self._held = None  # what follows is chosen without a lead
        if answer != self._said:
            self._said, self._since_s = answer, position_s
        return self._said, self._since_s
