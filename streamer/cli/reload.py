"""`genrecast reload`: has a running daemon read its configuration again."""

from pathlib import Path

import click


@click.command("reload")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Which daemon: the one that was started with it.  [the only one]",
)
def command(config: Path | None) -> None:
    """Have a running daemon read its configuration again, and say what has become of it.

    Stations are added, removed and changed; the others don't miss anything. A configuration that can't be
    used is refused, and all goes on as before.
    """
    from streamer.engine.control import find
    from streamer.engine.wire import as_error

    with find(config) as daemon:
        told = daemon.reload()
    if told.error is not None:
        raise as_error(told.error)
    for line in told.lines():
        click.echo(line)
