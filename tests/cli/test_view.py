"""What a person sees of messages: whatever strangers put into them, a terminal obeys none of it."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from streamer.cli.screen import Screen
from streamer.cli.view import first, line, table

HOSTILE = st.text(min_size=1).map(lambda text: f"\x1b]0;x\x07\x9b31m{text}")


TIME = "2026-01-01T00:00:00.000Z"


def said(text: str) -> dict:
    return {"kind": "genre", "station": text, "time": TIME, "since": TIME, "state": "music", "genre": text,
            "confidence": 0.5, "title": text, "level_dbfs": None}  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(HOSTILE)
def test_nothing_that_a_terminal_obeys_is_shown(text):
    genre = said(text)
    to = {"state": "music", "genre": text, "confidence": 0.5}
    change = {"kind": "change", "station": text, "time": TIME, "to": to, "title": text}
    track = {"kind": "track", "station": text, "time": TIME, "genre": text, "confidence": 0.5, "shares": {},
             "title": text, "seconds": 1.0}  # fmt: skip
    audio = {"codec": text, "rate": 1, "channels": 1}
    lost = {"kind": "status", "station": text, "time": TIME, "event": "lost", "detail": text, "format": None}
    connected = {**lost, "event": "connected", "detail": "", "format": audio}
    console = Console(file=io.StringIO(), width=200)

    for shows in (first(genre), *map(line, (change, track, lost, connected)), table({text: genre}, "", 1)):
        console.print(shows)

    shown = console.file.getvalue()
    assert not {c for c in shown if not c.isprintable()} - {"\n"}


def test_a_terminal_has_the_stations_that_fit_and_how_many_more_there_are():
    """A thousand of them come at once, as at a gateway: they are painted together, each said in a line."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=100, height=20)
    stations = {}

    with Screen(console) as screen:
        for number in range(1000):
            stations[f"s{number:03}"] = message = said(f"s{number:03}")
            screen.show(stations, first(message))

    shown = console.file.getvalue()
    above, last = shown.rsplit("station ", 1)
    assert shown.count("station ") < 100
    assert [f"s{number:03}" in last for number in range(18)] == [True] * 17 + [False]
    assert "and 983 more" in last
    assert all(f"  s{number:03} " in above for number in range(1000))
