"""An attendant run by a person, who sees what it says."""

import contextlib
import signal
import sys
from pathlib import Path

import click

from streamer.attend import load


def attend_by_hand(name: str, path: Path, connect: str | None) -> None:
    """Attend until Ctrl-C or SIGTERM.

    Args:
        name: of the attendant.
        path: of the configuration.
        connect: where the daemon publishes, where the configuration's own `bind` is not it.

    Raises:
        GenrecastError: it can't begin.
    """
    from streamer.check.load import load_config

    config = load_config(path)
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
