"""`genrecast keys`: who may subscribe from other machines."""

import os
from pathlib import Path

import click


def _default_folder() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "genrecast"


_dir = click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=_default_folder,
    show_default="~/.config/genrecast",
    help="Where the files are.",
)


@click.group("keys")
def command() -> None:
    """Make keys, and say who may subscribe from other machines.

    Both sides make a key with `keys new`. The subscriber tells the public half, the
    daemon's side allows it with `keys allow`; the secret half never leaves its machine.
    """


@command.command("new")
@_dir
def new(folder: Path) -> None:
    """Make a secret key, and an empty list of who may subscribe."""
    from streamer.publish.keys import ALLOW_FILE, KEY_FILE, make_key

    key, folder = make_key(folder), folder.resolve()
    click.echo(f"public key: {key.public.hex()}\n")
    click.echo("A daemon with this key has in its configuration:\n")
    click.echo(f"  [security]\n  server_key = '{folder / KEY_FILE}'\n  allow = '{folder / ALLOW_FILE}'\n")
    click.echo("A subscriber with it, once 'genrecast keys allow' was told its public key:\n")
    click.echo(f"  genrecast listen --server-key THE-DAEMONS --key '{folder / KEY_FILE}' --connect tcp://...")


@command.command("show")
@_dir
def show(folder: Path) -> None:
    """Print the public key."""
    from streamer.publish.keys import KEY_FILE, Key

    click.echo(Key.load(folder / KEY_FILE).public.hex())


@command.command("allow")
@click.argument("public_key")
@click.option("--name", default="unnamed", show_default=True, help="Whose it is.")
@_dir
def allow(public_key: str, name: str, folder: Path) -> None:
    """Let who has this public key subscribe; a running daemon knows at once.

    Without its line in the file, a subscriber is cut off within a second.
    """
    from streamer.publish.keys import ALLOW_FILE, parse_key
    from streamer.publish.keys import allow as allow_key

    path = folder / ALLOW_FILE
    allow_key(path, parse_key(public_key, where="PUBLIC_KEY"), name)
    click.echo(f"{path}: '{name}' may subscribe")
