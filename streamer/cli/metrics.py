"""`genrecast metrics`: how a running daemon is, served by hand and from anywhere."""

from pathlib import Path

import click

from streamer.cli import options
from streamer.cli.by_hand import attend_by_hand


@click.command("metrics")
@options.daemon_config
@options.connect
def command(config: Path, connect: str | None) -> None:
    """Serve to Prometheus how a running daemon is, until Ctrl-C.

    The daemon does it by itself where its file has a section [metrics]; this is for another
    machine, or another account.
    """
    from streamer.check.load import load_config

    attend_by_hand("metrics", load_config(config), connect)
