"""From the windows of one station to its verdicts: smoothing, states and tracks in one."""

import math

from streamer.contract import Contract
from streamer.decide.smooth import Smoother
from streamer.decide.state import SILENCE, UNSURE, Labels, StateKeeper
from streamer.decide.track import TrackKeeper
from streamer.flow import Probabilities, TrackVerdict, Verdict, Window


class Decider:
    """Says what a station plays. Positions are seconds since its source opened; a new source, a new decider.

    Args:
        contract: of the model that gives the probabilities.
        hop_s: seconds from one window to the next where nothing is lost.
    """

    def __init__(self, contract: Contract, hop_s: float = 1.0) -> None:
        self._hop_s = hop_s
        self._rate = contract.front_end.sample_rate
        self._silence_dbfs = contract.decision.silence_dbfs
        self._labels = Labels(contract)
        self._smoother = Smoother(contract.decision.half_life_s)
        self._dwell_s = contract.decision.dwell_s
        self._keeper = StateKeeper(self._dwell_s)
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
        if position_s - self._heard_s > self._window_s + self._hop_s:
            self.interrupt()  # so much is missing that what was has nothing to do with what is
        self._heard_s = position_s
        smoothed, label, label_confidence = None, None, 0.0
        if probabilities is None:
            leads = SILENCE
            self._silent_until_s = position_s
        else:
            middle_s = position_s - self._window_s / 2
            if middle_s < max(self._silent_until_s, self._new_title_s):
                # Mostly of what was before: it says little of what is now, and nothing lasting.
                self._smoother.reset()
                smoothed = probabilities
            else:
                new_s = min(position_s - self._smoothed_s, self._window_s)
                smoothed = self._smoother.push(probabilities, new_s)
                self._smoothed_s = position_s
            leads = UNSURE if middle_s < self._silent_until_s else self._labels.answer(smoothed)
            label, label_confidence = self._labels.top(probabilities)
        said, since_s = self._keeper.push(leads, position_s)
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

    def title(self, text: str, position_s: float) -> TrackVerdict | None:
        """Take the title that plays from here; give the verdict of the track before it.

        What was heard of another title says little about this one, so smoothing begins anew.
        """
        new = text or None
        if new == self._title:
            return None
        self._title, self._new_title_s = new, position_s
        return self._tracks.title(new, position_s)

    def interrupt(self) -> None:
        """Forget what was said: nothing was heard for a while. The track goes on, if it does."""
        self._smoother.reset()
        self._keeper = StateKeeper(self._dwell_s)

    def finish(self, position_s: float) -> TrackVerdict | None:
        """Give the verdict of the track that the end of the source cuts off."""
        return self._tracks.finish(position_s)
