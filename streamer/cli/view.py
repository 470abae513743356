"""How messages look to a person: a line for what is worth one, a table for what is now."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from streamer.text import printable

COLOURS = {
    "music": "bold green",
    "speech": "bold yellow",
    "noise": "magenta",
    "silence": "dim",
    "unsure": "cyan",
    "no-signal": "bold red",
}
BAR = "▁▂▃▄▅▆▇█"


def line(message: dict[str, Any]) -> Text | None:
    """Give one line for a message that a person wants to see, None for any other."""
    match message["kind"]:
        case "change":
            to = message["to"]
            said = _said(to["state"], to["genre"], to["confidence"])
            return _row(message, said, _title(message["title"]))
        case "track":
            what = message["genre"] or max(message["shares"], key=message["shares"].get, default="nothing")
            share = f" {message['confidence']:.0%}" if message["genre"] else ""
            said = Text(printable(f"track: {what}{share}"), "blue")
            return _row(message, said, _title(message["title"]), Text(f"{message['seconds']:.0f} s", "dim"))
        case "status" if message["event"] in ("connected", "lost", "stopped"):
            detail = printable(message["detail"] or _format(message["format"]))
            return _row(message, Text(message["event"], "dim"), Text(detail, "dim"))
    return None


def first(message: dict[str, Any]) -> Text:
    """Give the line for a station that is met for the first time."""
    said = _said(message["state"], message["genre"], message["confidence"])
    return _row(message, said, _title(message["title"]))


def table(stations: dict[str, dict[str, Any]], footer: str, rows: int) -> Table:
    """Give the first stations as they are now, by their last `genre` messages, and how many more."""
    if len(stations) > rows:
        footer = f"and {len(stations) - rows:,} more: --topic chooses, 'genrecast page' shows all. {footer}"
    grid = Table(box=None, pad_edge=False, caption=footer, caption_justify="left", caption_style="dim")
    for name in ("station", "now", "", "since", "level", "title"):
        grid.add_column(name, header_style="dim", no_wrap=True)
    for station, message in sorted(stations.items())[:rows]:
        level = message["level_dbfs"]
        grid.add_row(
            printable(station),
            _said(message["state"], message["genre"], message["confidence"]),
            _bars(message.get("probabilities", {}).values()),
            _clock(message["since"]),
            "" if level is None else f"{level:.0f} dB",
            _title(message["title"]),
        )
    return grid


def _row(message: dict[str, Any], *parts: Text) -> Text:
    row = Text(
        f"{_clock(message['time'])}  {printable(message['station']):<12} ", no_wrap=True, overflow="ellipsis"
    )
    for part in parts:
        row.append_text(part)
        row.append("  ")
    return row


def _said(state: str, genre: str | None, confidence: float) -> Text:
    share = "" if state in ("silence", "no-signal") else f" {confidence:4.0%}"
    return Text(f"{printable(genre or state):<10}{share:<5}", COLOURS.get(state, ""))


def _title(title: str | None) -> Text:
    return Text(printable(title), "italic") if title else Text("")


def _format(format: dict[str, Any] | None) -> str:
    return f"{format['codec']}, {format['rate']} Hz, {format['channels']} ch" if format else ""


def _bars(shares: Iterable[float]) -> str:
    return "".join(BAR[min(int(share * len(BAR)), len(BAR) - 1)] for share in shares)


def _clock(utc: str) -> str:
    """Give a message's time in the viewer's own zone."""
    return datetime.fromisoformat(utc).astimezone().strftime("%H:%M:%S")
