"""Musical time: bars and steps to seconds, with swing and with hands that are never quite exact."""

from collections.abc import Iterator

import numpy as np


class Grid:
    """Sixteen steps to a bar of four beats.

    Args:
        bpm: beats a minute.
        seconds: of the piece; nothing is played after it.
        rng: makes the players human.
        swing: how late every second step comes, as a part of a step (a third is a shuffle).
        loose_s: standard deviation of a player's time.
    """

    def __init__(
        self,
        bpm: float,
        seconds: float,
        rng: np.random.Generator,
        *,
        swing: float = 0.0,
        loose_s: float = 0.0,
    ) -> None:
        self.step_s = 60.0 / bpm / 4
        self.beat_s = 60.0 / bpm
        self.bar_s = 4 * self.beat_s
        self.bars = int(np.ceil(seconds / self.bar_s))
        self._seconds, self._rng, self._swing, self._loose_s = seconds, rng, swing, loose_s

    def at(self, bar: int, step: float) -> float:
        """Give the second of a step, swung and loose."""
        late = self._swing if step % 2 == 1 else 0.0
        exact = bar * self.bar_s + (step + late) * self.step_s
        return max(0.0, exact + self._loose_s * float(self._rng.standard_normal()))

    def hits(self, pattern: str, *, every: int = 1, first: int = 0) -> Iterator[tuple[float, float]]:
        """Give (second, strength) of each stroke of a pattern, over the whole piece.

        Args:
            pattern: bars of 16 signs, repeated: `X` hard, `x` usual, `o` soft, others rests.
            every: play only in each so manieth bar.
            first: the first bar to play in.
        """
        strength = {"X": 1.0, "x": 0.75, "o": 0.4}
        for bar in range(first, self.bars, every):
            start = bar * 16 % len(pattern)
            for step, sign in enumerate(pattern[start : start + 16]):
                if sign in strength and (at_s := self.at(bar, step)) < self._seconds:
                    yield at_s, strength[sign] * float(self._rng.uniform(0.9, 1.0))
