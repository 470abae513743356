"""`genrecast stations`: from other people's lists to a configuration, and what is in one."""

from pathlib import Path

import click

from streamer.errors import StationListError
from streamer.text import shown


@click.group("stations")
def command() -> None:
    """Make a configuration of playlists and station lists, or show what is in one."""


@command.command("import", short_help="Take the stations of playlists and station lists.")
@click.argument("paths", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--into", type=click.Path(path_type=Path), help="Append to this configuration, or begin it.")
def import_(paths: tuple[Path, ...], into: Path | None) -> None:
    """Take the stations of M3U, PLS, XSPF, OPML or radio-browser's JSON files.

    Ids are made from names. What is there already, by its address, is left out and told.
    Without --into the TOML is printed.
    """
    from streamer.stations.add import Choice, append, as_toml, present
    from streamer.stations.read import read_stations

    choice = Choice(present(into) if into else {})
    for path in paths:
        choice.take(str(path), read_stations(path))
    for note in choice.notes:
        click.echo(shown(note), err=True)
    left = len(choice.notes) - choice.broken
    if not choice.new and not left:
        raise StationListError(
            f"{', '.join(map(str, paths))}: no station in it", remedy="give a list that names streams"
        )
    text = as_toml(choice.new)
    if into is None:
        click.echo(text, nl=False)
    elif choice.new:
        append(into, text)
    where = f" in {into}" if into else ""
    click.echo(
        shown(f"{len(choice.new)} new{where}; left out: {left} there already, {choice.broken} not stations"),
        err=True,
    )


@command.command("list", short_help="Show the stations of a configuration.")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
def list_(path: Path) -> None:
    """Show the stations of a configuration: id and source, without secrets."""
    from streamer.check.load import load_config

    for station in load_config(path).station:
        click.echo(f"{station.id:<24} {shown(station.source)}")
