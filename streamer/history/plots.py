"""Plots as SVG without text in it: strips and columns as wide as the page, coloured by its style sheet."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from streamer.history.report import Day, Hour, Report
from streamer.history.rows import what

STATES = ("speech", "noise", "silence", "unsure", "no-signal")
COLOURS = 8  # that can be told from one another; what is played less is drawn as one

Key = Mapping[str, str]
"""What is said, and the class by which the style sheet colours it."""


def key_of(report: Report) -> Key:
    """Give each genre and state its class: the genres that are played most have colours of their own."""
    genres = [said for said in report.seconds if said not in STATES]
    own = {genre: f"g{i}" if i < COLOURS else "other" for i, genre in enumerate(genres)}
    return own | {state: state for state in STATES}


def strip(report: Report, day: Day, key: Key) -> str:
    """Give a day from left to right, in the colours of what was said."""
    length = day.end - day.begin
    parts = []
    for segment in report.segments:
        start, end = max(segment.start, day.begin), min(segment.end, day.end)
        if start < end:
            share = "" if segment.confidence is None else f" {segment.confidence:.0%}"
            parts.append(
                _rect(
                    key[what(segment)],
                    x=1000 * (start - day.begin) / length,
                    y=0,
                    width=1000 * (end - start) / length,
                    height=10,
                    title=f"{clock(segment.start)} to {clock(segment.end)}: {what(segment)}{share}",
                )
            )
    return _svg(1000, 10, f"{day.date:%A}, hour by hour", parts)


def columns(hours: Sequence[Hour], key: Key) -> str:
    """Give a column an hour of the clock, of the shares of what was said."""
    parts = []
    for hour in hours:
        top = 100.0
        for said in key:
            share = 100 * hour.seconds.get(said, 0.0) / hour.possible if hour.possible else 0.0
            if share:
                top -= share
                title = f"{hour.hour}:00 to {hour.hour + 1}:00: {said} {share:.0f}%"
                parts.append(
                    _rect(key[said], x=hour.hour + 0.06, y=top, width=0.88, height=share, title=title)
                )
    return _svg(24, 100, "Shares of what was said, by hour of the day", parts)


def clock(moment: float) -> str:
    """Give the time of day in the viewer's zone."""
    return f"{datetime.fromtimestamp(moment):%H:%M:%S}"


def _svg(width: int, height: int, label: str, parts: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _rect(colour: str, *, x: float, y: float, width: float, height: float, title: str) -> str:
    return (
        f'<rect class="{escape(colour)}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}">'
        f"<title>{escape(title)}</title></rect>"
    )
