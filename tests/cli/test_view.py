"""What a person sees of messages: whatever strangers put into them, a terminal obeys none of it."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from streamer.cli.view import first, line, table

HOSTILE = st.text(min_size=1).map(lambda text: f"\x1b]0;x\x07\x9b31m{text}")


@settings(deadline=None, max_examples=50)
@given(HOSTILE)
def test_nothing_that_a_terminal_obeys_is_shown(text):
    time = "2026-01-01T00:00:00.000Z"
    genre = {"kind": "genre", "station": text, "time": time, "since": time, "state": "music", "genre": text,
             "confidence": 0.5, "title": text, "level_dbfs": None}  # fmt: skip
    to = {"state": "music", "genre": text, "confidence": 0.5}
    change = {"kind": "change", "station": text, "time": time, "to": to, "title": text}
    track = {"kind": "track", "station": text, "time": time, "genre": text, "confidence": 0.5, "shares": {},
             "title": text, "seconds": 1.0}  # fmt: skip
    audio = {"codec": text, "rate": 1, "channels": 1}
    lost = {"kind": "status", "station": text, "time": time, "event": "lost", "detail": text, "format": None}
    connected = {**lost, "event": "connected", "detail": "", "format": audio}
    console = Console(file=io.StringIO(), width=200)

    for shows in (first(genre), *map(line, (change, track, lost, connected)), table({text: genre}, "")):
        console.print(shows)

    shown = console.file.getvalue()
    assert not {c for c in shown if not c.isprintable()} - {"\n"}
