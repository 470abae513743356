"""Logs: one line an event, the same ones folded and counted, nothing secret or harmful in them.

Where a line is about a station, its record says so in `extra`: `station`, `event`, and `code` where
there is an error's. A terminal gets sentences; journald the same with its priority and these fields
behind it; `json` one object a line.
"""

import copy
import logging
import os
import sys
import threading
from datetime import UTC, datetime
from typing import Any, Literal

from streamer.text import json_line, shown

Format = Literal["console", "json", "journal"]
FORMATS: tuple[Format, ...] = ("console", "json", "journal")
FIELDS = ("station", "event", "code", "count")

DEBUG = "GENRECAST_DEBUG"  # shows tracebacks instead of sentences

FORMAT = "GENRECAST_LOG_FORMAT"
WINDOW_S = 300.0  # repetitions within it are one line
MAX_FOLDED = 10_000  # lines that are remembered: a handful for each of 1,000 stations


def setup(level: int, format: Format | None = None) -> None:
    """Log to stderr from `level` on, also in processes that are started from here.

    Args:
        level: as `logging` counts.
        format: None for what `GENRECAST_LOG_FORMAT` says, or else for what reads stderr.
    """
    if format is not None:
        os.environ[FORMAT] = format
    target = logging.StreamHandler(sys.stderr)
    target.setFormatter(_FORMATTERS[current_format()]())
    logging.basicConfig(level=level, handlers=[Fold(target)], force=True)


def current_format() -> Format:
    """Give the format that is set, else `journal` where stderr is journald's, as under systemd."""
    wanted = os.environ.get(FORMAT)
    for format in FORMATS:
        if format == wanted:
            return format
    try:
        stderr = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return "console"
    is_journal = os.environ.get("JOURNAL_STREAM") == f"{stderr.st_dev}:{stderr.st_ino}"
    return "journal" if is_journal else "console"


class Fold(logging.Handler):
    """Lets the first of the same lines through; says of the others how many they were.

    The same are those of one station, event and code, and elsewhere those of one text.

    Args:
        target: where lines go.
        window_s: from one count to the next.
    """

    def __init__(self, target: logging.Handler, window_s: float = WINDOW_S) -> None:
        super().__init__()
        self._target, self._window_s = target, window_s
        self._folded: dict[object, tuple[logging.LogRecord, int]] = {}
        self._timer: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line."""
        fields = record.__dict__
        station = fields.get("station")
        key = (station, fields.get("event"), fields.get("code")) if station else record.getMessage()
        if key in self._folded:
            self._folded[key] = (record, self._folded[key][1] + 1)
            return
        self._target.handle(record)
        if len(self._folded) < MAX_FOLDED:
            self._folded[key] = (record, 0)
        self._wait()

    def tell(self) -> None:
        """Say what was folded; what came but once will be said again when it comes again."""
        self.acquire()
        try:
            self._timer = None
            again = {key: each for key, each in self._folded.items() if each[1]}
            self._folded = {key: (record, 0) for key, (record, _) in again.items()}
            for record, count in again.values():
                self._target.handle(self._summary(record, count))
            if again:
                self._wait()
        finally:
            self.release()

    def close(self) -> None:
        """Say what is still folded."""
        self.tell()
        if self._timer is not None:
            self._timer.cancel()
        super().close()

    def _wait(self) -> None:
        if self._timer is None:
            self._timer = threading.Timer(self._window_s, self.tell)
            self._timer.daemon = True
            self._timer.start()

    def _summary(self, record: logging.LogRecord, count: int) -> logging.LogRecord:
        said = copy.copy(record)
        times = "once" if count == 1 else f"{count} times"
        said.msg = f"{record.getMessage()} … {times} in the last {self._window_s / 60:g} min"
        said.args, said.count = (), count
        return said


class Console(logging.Formatter):
    """Sentences."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line; a traceback only where one asks for it."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            if os.environ.get(DEBUG):
                lines = [text, *self.formatException(record.exc_info).splitlines()]
                return "\n".join(shown(line) for line in lines)
            text += f": {record.exc_info[0].__name__}: {record.exc_info[1]}"
        return shown(text.replace("\n", "; "))


class Journal(Console):
    """Sentences with what journald reads before them, a priority, and the fields behind them."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        priority = next((p for level, p in _PRIORITIES if record.levelno >= level), 7)
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        return f"<{priority}>{super().format(record)}{fields}"


class Json(Console):
    """One object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time.replace("+00:00", "Z"), "level": record.levelname.lower()}
        return json_line(line | {"message": super().format(record)} | _fields(record))


_FORMATTERS: dict[Format, type[logging.Formatter]] = {"console": Console, "json": Json, "journal": Journal}
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: record.__dict__[name] for name in FIELDS if record.__dict__.get(name) is not None}
