"""Options that more than one command has."""

from pathlib import Path

import click

from streamer import log

# Of what runs until it is asked to end: `run`, `gateway`.
bind = click.option("--bind", help="ZeroMQ endpoint to publish on.  [tcp://127.0.0.1:5567]")
open_to_network = click.option(
    "--open-to-network", is_flag=True, default=None, help="Allow what is bound to be reached from outside."
)
quiet = click.option("--quiet", is_flag=True, help="Log warnings only.")
log_format = click.option(
    "--log-format", type=click.Choice(log.FORMATS), help="How to log.  [as what reads it needs]"
)

# Of what a person runs beside a daemon: `bridge`, `metrics`.
daemon_config = click.option(
    "--config", type=click.Path(path_type=Path), required=True, help="The daemon's TOML file, or a copy."
)
connect = click.option("--connect", help="Where the daemon publishes.  [bind, as the file says]")

# Of what reads the history: `history`, `report`.
db = click.option("--db", help="A history file, or postgresql://...  [where the daemon keeps it]")
