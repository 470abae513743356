"""A terminal with all stations as they are now, below what is said line by line.

What comes is painted together, a few times a second: to paint at each message takes all of a core with a
hundred stations, and who listens falls behind.
"""

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from streamer.cli.view import table

PAINT_S = 0.25
AROUND = 3  # lines of the terminal that are no station's: the heads, the footer, the cursor's own


class Screen:
    """Shows lines and stations from `with` on, and takes the stations away at its end.

    Args:
        console: a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._stations: dict[str, dict[str, Any]] = {}
        self._lines: list[Text] = []
        self._due = 0.0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._paint()
        self._live.stop()

    def show(self, stations: dict[str, dict[str, Any]], line: Text | None) -> None:
        """Show stations, from their last `genre` messages, and a line above them: soon, with what follows."""
        self._stations = stations
        if line is not None:
            self._lines.append(line)
        if (now := time.monotonic()) >= self._due:
            self._due = now + PAINT_S
            self._paint()

    def _paint(self) -> None:
        if self._lines:
            self._console.print(Text("\n").join(self._lines), soft_wrap=True)
            self._lines.clear()
        if self._stations:
            rows = max(self._console.height - AROUND, 1)
            self._live.update(table(self._stations, "Ctrl-C ends", rows), refresh=True)
