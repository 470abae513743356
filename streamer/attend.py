"""The process of an attendant, `python -m streamer.attend NAME`: what subscribes to the bus for a purpose.

The daemon starts it, tells it on stdin what to attend to, and reads on stdout how it is: one JSON object
a line, and an empty line as a sign of life. What an attendant does is a module's `attend` function.
"""

import contextlib
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import msgspec

from streamer import log
from streamer.config import Config
from streamer.errors import GenrecastError, MissingExtraError
from streamer.text import shown

Say: TypeAlias = Callable[[str | None, str], None]
"""Tells trouble by its error code and one sentence; with None, that all is well again. From any thread."""

Attend: TypeAlias = Callable[[Config, str, Say], None]
"""What an attendant does with a configuration at an endpoint, until its process is asked to end."""

BEAT_S = 1.0
MAX_DETAIL = 300  # characters; a line stays below what a pipe takes whole


class Room(NamedTuple):
    """Where an attendant is at home: its module, and the extra that its libraries are in, if any."""

    module: str
    extra: str | None = None


ROOMS = {
    "history": Room("streamer.history.keeper"),
    "page": Room("streamer.page.attend", "server"),
    "metrics": Room("streamer.metrics.attend", "server"),
    "mqtt": Room("streamer.bridge.mqtt", "mqtt"),
    "webhook": Room("streamer.bridge.webhook"),
}
"""All attendants. One is wanted where the configuration has a section of its name that is enabled."""


class Order(msgspec.Struct, frozen=True):
    """What an attendant is told at its start.

    Attributes:
        endpoint: where the daemon publishes.
        config: the whole of it.
        log_level: as `logging` counts.
    """

    endpoint: str
    config: Config
    log_level: int = logging.INFO


class Saying(msgspec.Struct, frozen=True):
    """How an attendant is: an error's code, None where all is well, and one sentence."""

    code: str | None
    detail: str


class Speech:
    """The way to the daemon: stdout, which is kept from all that prints."""

    def __init__(self) -> None:
        self._descriptor = os.dup(1)
        os.dup2(2, 1)

    def say(self, code: str | None, detail: str) -> None:
        """Tell how it is; see `Say`."""
        self._write(msgspec.json.encode(Saying(code, shown(detail)[:MAX_DETAIL])) + b"\n")

    def beat(self, *_: object) -> None:
        """Show that the main thread comes round."""
        self._write(b"\n")

    def _write(self, line: bytes) -> None:
        with contextlib.suppress(OSError):  # the daemon has gone: stdin tells so too, and that ends us
            os.write(self._descriptor, line)


def main(name: str) -> int:
    """Attend until asked to end; give the exit status."""
    speech = Speech()
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    log.setup(order.log_level)
    signal.signal(signal.SIGTERM, _end)
    threading.Thread(target=_end_with_the_daemon, daemon=True).start()
    # A signal, and no thread: Python answers it in the main thread, which is the one that may hang.
    signal.signal(signal.SIGALRM, speech.beat)
    signal.setitimer(signal.ITIMER_REAL, BEAT_S, BEAT_S)
    try:
        load(name)(order.config, order.endpoint, speech.say)
    except GenrecastError as error:
        speech.say(error.code, f"{error.message}; try: {error.remedy}")
        return error.exit_status
    except Exception as error:
        logging.getLogger(__name__).debug("%s: unforeseen", name, exc_info=True)
        speech.say("internal", f"a fault of genrecast's own: {type(error).__name__}: {error}")
        return 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)  # Python's own end takes the handler away before the timer
    return 0


def load(name: str) -> Attend:
    """Give what an attendant does.

    Raises:
        MissingExtraError: it needs libraries that are not installed.
    """
    room = ROOMS[name]
    try:
        attend: Attend = importlib.import_module(room.module).attend
    except ModuleNotFoundError as error:
        if room.extra is None:
            raise
        raise MissingExtraError(f"[{name}]", room.extra) from error
    return attend


def _end(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # asked once is enough: what is being closed may close
    sys.exit(0)


def _end_with_the_daemon() -> None:
    """Ask ourselves to end when stdin does, as it does when the daemon was killed."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
