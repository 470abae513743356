"""How a command ends that runs until it is asked to."""

import logging
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from streamer.cli.main import tell
from streamer.errors import GenrecastError


def end_at_once_if_asked() -> None:
    """Have a wish to end met at once, until the loop is there to take it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))


def leave(ends: Sequence[GenrecastError]) -> NoReturn:
    """Exit, with the status of the first thing that ended it, if there is one."""
    if ends:
        tell(ends[0])
    logging.shutdown()
    sys.stdout.flush()
    # Not Python's own end: libraries that have threads were seen to wait in it for ever.
    os._exit(ends[0].exit_status if ends else 0)
