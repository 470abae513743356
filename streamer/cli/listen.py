"""`genrecast listen`: what a running daemon says, for people and for pipes."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from streamer.config import DEFAULT_ENDPOINT
from streamer.errors import KeysError
from streamer.text import json_line

HINT_S = 3.0  # the last messages come at once: nothing for this long means that nobody publishes


@click.command("listen")
@click.option("--connect", default=DEFAULT_ENDPOINT, show_default=True, help="Where the daemon publishes.")
@click.option("--topic", default="", help="Only topics that begin so, such as genre/kexp/.")
@click.option("--json", "as_json", is_flag=True, help="Print messages as they are, one JSON object a line.")
@click.option("--server-key", help="Public key of a daemon that has one.")
@click.option("--key", "key_path", type=click.Path(path_type=Path), help="File with your own secret key.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many messages.")
def command(
    connect: str, topic: str, as_json: bool, server_key: str | None, key_path: Path | None, count: int | None
) -> None:
    """Show what a running daemon says, until Ctrl-C.

    On a terminal: all stations as they are now, and a line for each change above them.
    Elsewhere: a line for each change.
    """
    from streamer.publish.keys import ClientKeys, Key, parse_key
    from streamer.publish.subscribe import Subscriber

    if (server_key is None) != (key_path is None):
        raise KeysError(
            "--server-key and --key work together, and one is missing",
            remedy="give the daemon's public key and the file with your own: genrecast keys --help",
        )
    keys = None
    if server_key is not None and key_path is not None:
        keys = ClientKeys(Key.load(key_path), parse_key(server_key, where="--server-key"))
    # SIGTERM ends it as Ctrl-C does: the terminal gets its cursor back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    subscriber = Subscriber(connect, (topic,), keys=keys)
    messages = _counted(_hinted(subscriber.messages(), connect), count)
    try:
        if as_json:
            for message in messages:
                if message is not None:
                    click.echo(json_line(message))
        else:
            show(messages)
    except KeyboardInterrupt:
        pass  # the way to end it
    except BrokenPipeError:
        # Whoever read has gone. Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        subscriber.close()


def show(messages: Iterator[dict[str, Any] | None]) -> None:
    """Show messages to a person until there are no more."""
    from rich.console import Console

    from streamer.cli.screen import Screen
    from streamer.cli.view import first, line

    console = Console(highlight=False)
    stations: dict[str, dict[str, Any]] = {}
    with Screen(console) if console.is_terminal else contextlib.nullcontext() as screen:
        for message in messages:
            text = None if message is None else line(message)
            if message is not None and message["kind"] == "genre":
                if message["station"] not in stations:
                    text = first(message)
                stations[message["station"]] = message
            if screen is not None:
                screen.show(stations, text)
            elif text is not None:
                console.print(text, soft_wrap=True)


def _counted(messages: Iterator[dict[str, Any] | None], count: int | None) -> Iterator[dict[str, Any] | None]:
    for message in messages:
        yield message
        if message is not None and count is not None:
            count -= 1
            if count == 0:
                return


def _hinted(messages: Iterator[dict[str, Any] | None], connect: str) -> Iterator[dict[str, Any] | None]:
    """Say once that nothing comes, since a subscriber can't see whether anybody is there."""
    deadline: float | None = time.monotonic() + HINT_S
    for message in messages:
        if message is not None:
            deadline = None
        elif deadline is not None and time.monotonic() > deadline:
            deadline = None
            click.echo(
                f"nothing is published at {connect} yet; is 'genrecast run' going, and are the keys right, "
                "where it has some? waiting",
                err=True,
            )
        yield message
