"""`genrecast report`: a station's day or week as one web page."""

import contextlib
import time
from datetime import date
from pathlib import Path

import click

from streamer.cli import options
from streamer.cli.when import Day


@click.command("report")
@click.option("--station", required=True, help="Of this station.")
@click.option("--day", type=Day(), help="today, yesterday, or an ISO date.  [yesterday]")
@click.option("--week", type=Day(), help="Monday to Sunday, of the week in which this day lies.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="HTML file to write."
)
@options.db
def command(station: str, day: date | None, week: date | None, out: Path, db: str | None) -> None:
    """Make one HTML file of a station's day or week: shares by hour and genre, tracks, interruptions.

    It needs no other file and no network. Days are those of your own zone.
    """
    # Imported here: help is quick.
    from streamer.history.files import replace
    from streamer.history.place import found_at
    from streamer.history.report import gather, one_day, one_week
    from streamer.history.report_page import page, span
    from streamer.history.store import Store, check_station
    from streamer.history.when import day as day_of

    if day and week:
        raise click.UsageError("--day and --week are both given")
    now = time.time()
    days = one_week(week) if week else one_day(day or day_of("yesterday", now))
    with contextlib.closing(Store.open(db or found_at())) as store:
        check_station(store, station)
        report = gather(store, station, days, now)
    with replace(out) as part:
        part.write_text(page(report, now), encoding="utf-8")
    click.echo(f"{out}: {station}, {span(report)}", err=True)
