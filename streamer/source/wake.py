"""When to wake: how many bytes make so many seconds of a stream."""

SHORTEST_S = 0.1  # of audio at a time: what servers send every few milliseconds is as well taken then
LONGEST_S = 3.0  # a window: where windows are further apart, what lies between is passed over in few wakes
KNOWN_S = 1.0  # of audio, after which a measured rate is believed
MAX_BYTES = 64 * 1024  # whatever bitrate a server claims
LATE_S = 0.1  # a stream of varying rate may send less for a while: so much later any bytes will do
FRAME_S = 0.03  # the last frame of what is wanted must be whole
QUIETEST = 32_000  # bit/s, where a server doesn't say: the lowest in use
_KEPT_S = 30.0  # of the measurement: half of it goes then, so that what a station becomes is followed


class Meter:
    """Measures the rate of a stream by what it gives.

    Args:
        bitrate: as the server says it, in bits per second; None where it doesn't.
    """

    def __init__(self, bitrate: int | None) -> None:
        self._said = (bitrate or QUIETEST) / 8
        self._bytes = self._new_bytes = 0
        self._seconds = 0.0

    @property
    def bytes_per_s(self) -> float:
        """Measured, after the first second; before it what the server says."""
        return self._bytes / self._seconds if self._seconds > KNOWN_S else self._said

    def came(self, size: int) -> None:
        """Take note of bytes that came."""
        self._new_bytes += size

    def heard(self, seconds: float) -> None:
        """Take note of the audio that was in them."""
        self._bytes += self._new_bytes
        self._seconds += seconds
        self._new_bytes = 0
        if self._seconds > _KEPT_S:
            self._bytes //= 2
            self._seconds /= 2

    def window(self, wanted_s: float) -> tuple[int, float]:
        """Give how many bytes are worth a wake, and how many seconds later fewer will do.

        Args:
            wanted_s: of audio; 0 for as soon as makes sense.
        """
        known = self._seconds > KNOWN_S
        seconds = min(wanted_s, LONGEST_S) + FRAME_S if wanted_s > 0 and known else SHORTEST_S
        return max(1, min(int(seconds * self.bytes_per_s), MAX_BYTES)), seconds + LATE_S
