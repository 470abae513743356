"""More work than the machine can do: how much longer all hops become, and when they become short again."""

LATE_MS = 500.0  # half of the worst lag that a quiet machine has with a thousand stations, and then some
LONGEST_HOP_S = 12.0  # a hop of four windows decodes a quarter of the audio: less would say too little
GROWTH = 1.5  # a second: a machine that has twice too much to do is through with growing in five
# After a growth the backlog first has to go; after a shrinkage what waited for longer hops comes late.
HOLD_S = 2.0
FREE, ALMOST_FREE, FULL = 0.75, 0.9, 0.97  # shares of time in which there is work


class Load:
    """Chooses the factor by which hops are longer than asked for, from how the workers are.

    It grows while windows come ever later, and shrinks as long as there is time to spare. Longer hops
    save little up to a window's length, and much beyond it: what no window needs isn't decoded.

    Args:
        hop_s: as asked for.
    """

    def __init__(self, hop_s: float) -> None:
        self._most = max(1.0, LONGEST_HOP_S / hop_s)
        self._late_ms = 0.0
        self._grown_at = self._shrunk_at = float("-inf")
        self.factor = 1.0

    def look(self, *, busy: float, late_ms: float, now: float) -> float:
        """Take how the worst worker was in the last second; give the factor.

        Args:
            busy: share of time in which it had work.
            late_ms: median lag of its windows.
            now: seconds of any clock that doesn't run back.
        """
        rising = late_ms >= 0.95 * self._late_ms
        self._late_ms = late_ms
        if late_ms > LATE_MS and rising and now - self._shrunk_at >= HOLD_S:
            self.factor = min(self.factor * GROWTH, self._most)
            self._grown_at = now
        elif self.factor > 1.0 and busy < FULL and now - self._grown_at >= HOLD_S and late_ms <= LATE_MS:
            shrink = 2.0 if busy < FREE else 1.4 if busy < ALMOST_FREE else 1.1
            self.factor = max(self.factor / shrink, 1.0)
            self._shrunk_at = now
        return self.factor
