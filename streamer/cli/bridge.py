"""`genrecast bridge`: MQTT or a webhook told what a running daemon says, by hand and from anywhere."""

from pathlib import Path

import click

from streamer.cli import options
from streamer.cli.by_hand import attend_by_hand


@click.command("bridge")
@click.argument("name", type=click.Choice(["mqtt", "webhook"]))
@options.daemon_config
@options.connect
def command(name: str, config: Path, connect: str | None) -> None:
    """Tell MQTT or a webhook what a running daemon says, until Ctrl-C.

    The daemon does it by itself where its file has a section [mqtt] or [webhook]; this is
    for another machine, or another account.
    """
    from streamer.check.load import load_config

    attend_by_hand(name, load_config(config), connect)
