"""`genrecast`: one file a command, each imported only when it is called, so that --help is quick."""

import logging
import os
import sys
from importlib import import_module
from typing import Any

import click

from streamer import __version__, log
from streamer.errors import ConfigError, GenrecastError
from streamer.log import DEBUG
from streamer.text import shown

COMMANDS = {
    "run": "Listen to stations and publish what they play.",
    "check": "Say everything that is wrong with a configuration.",
    "stations": "Make a configuration of playlists and station lists.",
    "reload": "Have a running daemon read its configuration again.",
    "cluster": "Run stations on all machines of a Ray cluster.",
    "install": "Write the systemd unit that runs the daemon as a service.",
    "gateway": "Join many daemons behind one socket.",
    "listen": "Show what a running daemon says.",
    "page": "Show it in a browser.",
    "history": "Show what was played.",
    "report": "Make a web page of a station's day or week.",
    "keys": "Make keys, and say who may subscribe from other machines.",
    "classify": "Say what whole files are.",
    "metrics": "Serve to Prometheus how a running daemon is.",
    "bridge": "Tell MQTT or a webhook what a running daemon says.",
    "devices": "List the sound cards that can be listened to.",
    "doctor": "Say what works here, and what to do about what doesn't.",
    "demo": "Tag a minute of synthetic radio live.",
}


class Lazy(click.Group):
    """Knows the commands by name and one line; loads the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"streamer.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list without loading anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="genrecast")
def cli() -> None:
    """Say which genre of music live audio is playing.

    Start with `genrecast demo`, or `genrecast run --source URL --station NAME` and, in
    another terminal, `genrecast listen`.
    """


def tell(error: GenrecastError) -> None:
    """Print an error as one line and its remedy, or log it where logs are read; a configuration's, all."""
    for said in error.problems if isinstance(error, ConfigError) else [error]:
        if log.current_format() == "console":
            click.echo(f"genrecast: {shown(str(said))}\n  try: {shown(said.remedy)}", err=True)
        else:
            log.setup(logging.ERROR)
            logging.error("%s; try: %s", said, said.remedy, extra={"code": said.code})


def main(args: list[str] | None = None) -> Any:
    """Run a command; a user's error is one line, a remedy and an exit status, never a traceback."""
    try:
        return cli.main(args, prog_name="genrecast", standalone_mode=True)
    except GenrecastError as error:
        tell(error)
        sys.exit(error.exit_status)
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        said = shown(f"{type(error).__name__}: {error}")
        click.echo(f"genrecast: a fault of genrecast's own: {said}", err=True)
        click.echo(f"  try: {DEBUG}=1 shows where; please report it with that", err=True)
        sys.exit(1)
