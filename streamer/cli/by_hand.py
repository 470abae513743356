"""An attendant run by a person, who sees what it says."""

import contextlib
import signal
import sys

import click

from streamer.attend import load
from streamer.config import Config


def attend_by_hand(name: str, config: Config, connect: str | None) -> None:
    """Attend until Ctrl-C or SIGTERM.

    Args:
        name: of the attendant.
        config: what it attends to.
        connect: where the daemon publishes, where the configuration's own `bind` is not it.

    Raises:
        GenrecastError: it can't begin.
    """
    attend = load(name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    before: tuple[str | None, str] | None = None

    def say(code: str | None, detail: str) -> None:
        nonlocal before
        if before != (code, detail):
            before = code, detail
            click.echo(f"{name}: {detail}{f' ({code})' if code else ''}", err=True)

    with contextlib.suppress(KeyboardInterrupt):  # the way to end it
        attend(config, connect or config.bind, say)
