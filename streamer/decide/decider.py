"""From the windows of one station to its verdicts: smoothing, states and tracks in one."""

import math

from streamer.contract import Contract
from streamer.decide.smooth import Mean
from streamer.decide.state import SILENCE, UNSURE, Answer, Labels, Lead, StateKeeper
from streamer.decide.track import TrackKeeper
from streamer.flow import Probabilities, TrackVerdict, Verdict, Window

TITLE_SETTLES_S = 15.0
"""From so many seconds into a title on, another genre is unlikelier: by then what is said has come right."""


class Decider:
    """Says what a station plays. Positions are seconds since its source opened; a new source, a new decider.

    Args:
        contract: of the model that gives the probabilities.
        hop_s: seconds from one window to the next where nothing is lost; may change.
    """

    def __init__(self, contract: Contract, hop_s: float = 1.0) -> None:
        self._contract, self.hop_s = contract, hop_s
        self._rate = contract.front_end.sample_rate
        self._silence_dbfs = contract.decision.silence_dbfs
        self._labels = Labels(contract)
        decision = contract.decision
        self._mean = Mean(decision.half_life_s, decision.sharpness, decision.boundary_keeps)
        self._keeper = StateKeeper(contract, self._labels)
        self._tracks = TrackKeeper(contract, self._labels)
        self._window_s = contract.front_end.window_s
        # Positions: of the last window that was smoothed, and of the latest boundaries.
        self._smoothed_s = self._silent_until_s = self._new_title_s = -self._window_s
        self._heard_s = math.inf  # where the last window ended
        self._title: str | None = None

    def is_silent(self, window: Window) -> bool:
        """Say whether the window's last second is silence, which needs no model."""
        return window.recent_dbfs is None or window.recent_dbfs < self._silence_dbfs

    def push(
        self, window: Window, probabilities: Probabilities | None
    ) -> tuple[Verdict, TrackVerdict | None]:
        """Take a window and what the model says of it (None where it is silent).

        Returns:
            what is said now, and the verdict of a run without title that this ends.
        """
        position_s = window.end / self._rate
        if position_s - self._heard_s > self._window_s + self.hop_s:
            self.interrupt()  # so much is missing that what was has nothing to do with what is
        self._heard_s = position_s
        smoothed, label, label_confidence = None, None, 0.0
        if probabilities is None:
            answer = SILENCE
            self._silent_until_s = position_s
            if self._keeper.said != SILENCE:
                self._mean.boundary()
        else:
            answer, smoothed = self._judge(probabilities, position_s)
            label, label_confidence = self._labels.top(probabilities)
        said, since_s = self._keeper.say(answer, position_s)
        verdict = Verdict(
            state=said.state,
            genre=said.genre,
            confidence=self._labels.confidence(said, smoothed),
            since_s=since_s,
            position_s=position_s,
            probabilities=smoothed,
            window_label=label,
            window_confidence=label_confidence,
        )
        return verdict, self._tracks.push(verdict, probabilities)

    def _judge(self, probabilities: Probabilities, position_s: float) -> tuple[Answer, Probabilities]:
        """Smooth a window that is not silent; give what is to be said and the smoothed probabilities."""
        boundary_s = max(self._silent_until_s, self._new_title_s)
        middle_s = position_s - self._window_s / 2
        if middle_s < boundary_s:
            # Mostly of what was before: it says little of what is now, and nothing lasting.
            if middle_s < self._silent_until_s:
                return UNSURE, probabilities
            held = self._keeper.said.state in ("music", "speech", "noise")
            answer = self._keeper.said if held else self._labels.answer(probabilities)
            return answer, probabilities
        new_s = min(position_s - max(self._smoothed_s, boundary_s), self._window_s)
        self._smoothed_s = position_s
        smoothed = self._mean.push(probabilities, new_s)
        title_s = None if self._title is None else position_s - self._new_title_s
        return self._keeper.choose(smoothed, which_lead(title_s)), smoothed

    def title(self, text: str, position_s: float) -> TrackVerdict | None:
        """Take the title that plays from here; give the verdict of the track before it.

        What was heard of another title says little about this one, so little of it stays in the mean.
        What is said stays until most of a window is of the new title.
        """
        new = text or None
        if new == self._title:
            return None
        self._title, self._new_title_s = new, position_s
        self._mean.boundary()
        return self._tracks.title(new, position_s)

    def interrupt(self) -> None:
        """Forget what was said: nothing was heard for a while. The track goes on, if it does."""
        self._mean.reset()
        self._keeper = StateKeeper(self._contract, self._labels)

    def finish(self, position_s: float) -> TrackVerdict | None:
        """Give the verdict of the track that the end of the source cuts off."""
        return self._tracks.finish(position_s)


def which_lead(title_s: float | None) -> Lead:
    """Say which lead counts so many seconds into a title; None: without one.

    A new title is evidence of a change, and that one goes on is evidence of none.
    """
    if title_s is None:
        return "lead"
    return "new_title_lead" if title_s < TITLE_SETTLES_S else "titled_lead"
