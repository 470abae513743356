"""`genrecast metrics`: how a running daemon is, served by hand and from anywhere."""

from pathlib import Path

import click

from streamer.cli.by_hand import attend_by_hand


@click.command("metrics")
@click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="The daemon's TOML file, or a copy."
)
@click.option("--connect", help="Where the daemon publishes.  [bind, as the file says]")
def command(config: Path, connect: str | None) -> None:
    """Serve to Prometheus how a running daemon is, until Ctrl-C.

    The daemon does it by itself where its file has a section [metrics]; this is for another
    machine, or another account.
    """
    from streamer.check.load import load_config

    attend_by_hand("metrics", load_config(config), connect)
