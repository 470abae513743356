"""`genrecast history`: what was played, for people and for programs."""

import contextlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamer.cli import options
from streamer.cli.when import When

if TYPE_CHECKING:
    from streamer.history.export import Kind

AT_ONCE = 1000  # lines


@click.command("history")
@click.option("--station", help="Of this station alone.")
@click.option("--since", type=When(), default="1d", show_default=True, help="From here on: 7d, 2h, ...")
@click.option("--until", type=When(), default="now", show_default=True, help="Up to here: yesterday, ...")
@click.option("--genre", help="Of this genre alone, or of a state such as speech.")
@click.option("--segments", "kind", flag_value="segments", default=True, help="States and genres.  [this]")
@click.option("--tracks", "kind", flag_value="tracks", help="Tracks with their verdicts.")
@click.option("--hours", "kind", flag_value="hours", help="Shares of each hour.")
@click.option("--csv", "how", flag_value="csv", help="Print CSV, times in UTC.")
@click.option("--json", "how", flag_value="json", help="Print one JSON object a line, times in UTC.")
@click.option("--parquet", type=click.Path(path_type=Path), help="Write a Parquet file, times in UTC.")
@options.db
def command(
    station: str | None,
    since: float,
    until: float,
    genre: str | None,
    kind: "Kind",
    how: str | None,
    parquet: Path | None,
    db: str | None,
) -> None:
    """Show what was played, oldest first: states and genres, or tracks, or shares of hours.

    Times may be how long ago (30m, 2h, 7d, 2w), a day (today, yesterday, 2026-11-26: its beginning) or
    an ISO date and time (2026-11-26T20:00). They are of your own zone unless they name one.
    """
    # Imported here: help is quick.
    from streamer.cli.rows import line
    from streamer.history import export
    from streamer.history.place import found_at
    from streamer.history.store import Store, check_station

    if how and parquet:
        raise click.UsageError("--parquet can't be given with --csv or --json")
    if since >= until:
        raise click.UsageError("--since is not before --until")
    with contextlib.closing(Store.open(db or found_at())) as store:
        if station is not None:
            check_station(store, station)
        rows = export.rows(store, kind, since=since, until=until, station=station, genre=genre)
        if parquet:
            count = export.write_parquet(kind, rows, parquet)
            click.echo(f"{parquet}: {count} {kind}", err=True)
        elif how == "csv":
            _print(export.as_csv(kind, rows))
        elif how == "json":
            _print(map(export.as_json, rows))
        elif not _print(map(line, rows)):
            click.echo("nothing is known of that time; --since 7d goes further back", err=True)


def _print(lines: Iterator[str]) -> int:
    """Print lines, many at a time; give how many there were."""
    count = 0
    while part := list(islice(lines, AT_ONCE)):
        click.echo("\n".join(part))
        count += len(part)
    return count
