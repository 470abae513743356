"""How far a run is, in words."""

from collections.abc import Sequence

from streamer.archive.plan import Part
from streamer.archive.run import Done


class Tally:
    """Counts what is done.

    Args:
        parts: all that are to be done.
        now: monotonic seconds, at the start.
    """

    def __init__(self, parts: Sequence[Part], now: float) -> None:
        self._began = now
        self._left = sum(_weight(part.size, len(part.tried)) for part in parts)
        self._weight = 0
        self.total = sum(len(part.tried) for part in parts)
        self.failed = sum(len(part.failed) for part in parts)
        self.files = self.errors = self.mended = 0
        self.audio_s = 0.0

    def add(self, done: Done) -> None:
        """Count a part."""
        self.files += done.files
        self.errors += done.errors
        self.mended += done.mended
        self.audio_s += done.audio_s
        weight = _weight(done.size, done.files)
        self._weight += weight
        self._left -= weight

    def line(self, now: float) -> str:
        """Say how far it is, how quick, and how long it will take at this rate."""
        ran_s = max(now - self._began, 1e-3)
        said = [f"{self.files:,} of {self.total:,} files", f"{self.errors:,} failed"]
        if self._weight:
            said += [f"{self.files / ran_s:.1f} files/s", f"{self.audio_s / 3600 / ran_s:.2f} h of audio/s"]
            if self._left:
                said.append(f"{_time(self._left * ran_s / self._weight)} left")
        return ", ".join(said)

    def summary(self, now: float) -> str:
        """Say what was done in all."""
        hours = f"{self.audio_s / 3600:,.1f} hours of audio"
        said = f"{self.files:,} files, {hours}, {self.errors:,} failed, in {_time(now - self._began)}"
        again = f"; of {self.failed:,} that had failed {self.mended:,} are tagged now"
        return said + again if self.failed else said


def _weight(size: int, files: int) -> int:
    """Give what a part counts for in the time that is left: its bytes, where a store says them."""
    return size or files


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
