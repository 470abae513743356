"""What every kind of source is: something that gives events until it ends or fails.

A source never resamples, never smooths over trouble and never retries: it raises
one of the `SourceError` types and the engine decides what follows. It runs on the
event loop and gives way at every event, so that one source never holds up another.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator

from streamer.flow import SourceEvent


class Source(ABC):
    """One attempt at listening: made, iterated once, closed. A retry makes a new one."""

    live: bool = True
    """True when audio comes at its own pace and an end is trouble; False for files and pipes."""

    stall_s: float = 20.0
    """Seconds without an event after which the engine gives the source up."""

    retry_cap_s: float = 60.0
    """Longest wait before another attempt: a server in trouble is not to be hammered."""

    wanted_s: float = 0.0
    """Seconds of audio after which the next block is worth waking for, as the engine says; 0: at once."""

    def skip(self, seconds: float) -> None:  # noqa: B027 - who can't decode less just goes on
        """Pass over the next so many seconds of audio: counted, not decoded; who can't ignores it.

        What is still to be passed over is added to; a negative number takes back as much of it as is left.
        """

    def hurry(self) -> None:  # noqa: B027 - who doesn't wait for much need not
        """Take note that less is wanted than what is being waited for."""

    @abstractmethod
    def events(self) -> AsyncGenerator[SourceEvent, None]:
        """Give a `Format` before the first `Block`, then blocks, titles and new formats as they come.

        Ends when the audio ends (only where `live` is False).

        Raises:
            SourceError: whatever else ends it.
        """

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections, files, devices and children. May be called at any time, twice too."""
