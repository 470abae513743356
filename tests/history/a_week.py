"""A made-up week of a station, as a history would hold it."""

import random

from streamer.history.rows import Heard, Open, Segment, TrackRow
from streamer.history.store import Store

GENRES = (
    "jazz",
    "rock",
    "pop",
    "electronic",
    "hiphop",
    "folk",
    "classical",
    "metal",
    "reggae",
    "blues",
    "country",
)
HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "</title></style><svg onload=document.title='owned'>",
    "\u202egnp.exe",
    "\U0001f3b7" * 40 + "a" * 200,
)


def write(store: Store, begin: float, days: float, station: str = "kexp") -> None:
    """Write segments and tracks of some days: music by the hour, news, breaks, and what strangers send."""
    dice = random.Random(1)
    segments, tracks, time, seq = [], [], begin, 0
    while time < begin + days * 86_400:
        hour = int((time - begin) % 86_400 // 3600)
        kind = dice.random()
        length = dice.uniform(120, 420)
        if kind < 0.02:
            segments.append(Segment(station, "no-signal", None, 1.0, time, time + length / 3))
            time += length / 3
            continue
        if kind < 0.023:
            time += 1800  # the daemon is away
            continue
        if kind < 0.12:
            state = dice.choice(["speech", "speech", "speech", "silence", "unsure", "noise"])
            length /= 4
            segments.append(Segment(station, state, None, dice.uniform(0.6, 1), time, time + length))
            time += length
            continue
        genre = GENRES[min(int(abs(dice.gauss(hour / 4, 1.5))), len(GENRES) - 1)]
        segments.append(Segment(station, "music", genre, dice.uniform(0.5, 0.99), time, time + length))
        title = dice.choice(HOSTILE) if dice.random() < 0.02 else f"Artist {dice.randrange(99)} - Title {seq}"
        track = TrackRow(station, title, genre, dice.uniform(0.5, 0.99), time, time + length, length)
        tracks.append(Heard("b", seq, track))
        seq, time = seq + 1, time + length
    last = segments.pop()
    store.write(segments, tracks, [Open("b", last)])
