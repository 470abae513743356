"""What a daemon says of a station, as a subscriber has it."""

import json
from typing import Any

from streamer.flow import State
from streamer.publish.messages import Genre, Message, Track, encode, utc

NOON = 1_800_000_000.0  # 2027-01-15 08:00 UTC: any whole hour


class Voice:
    """Says one thing after another for a station, numbered as a daemon numbers it."""

    def __init__(self, station: str = "kexp", boot: str = "b1") -> None:
        self.station, self.boot = station, boot
        self._seq = {"genre": 0, "track": 0}
        self._said: tuple[str, str | None] | None = None
        self._since = 0.0

    def genre(
        self, time: float, what: str = "jazz", *, confidence: float = 0.8, hop: float = 1.0
    ) -> dict[str, Any]:
        """Say a genre, or any other state by its name, at a time."""
        states: dict[str, State] = {"speech": "speech", "silence": "silence", "no-signal": "no-signal"}
        state = states.get(what, "music")
        said = (state, what if state == "music" else None)
        if said != self._said:
            self._said, self._since = said, time
        return self._as_heard(
            Genre(
                **self._common("genre", time),
                state=state,
                genre=said[1],
                confidence=confidence,
                since=utc(self._since),
                window=None,
                level_dbfs=None,
                position=0.0,
                gap=False,
                lag_ms=0.0,
                hop=hop,
                title=None,
            )
        )

    def track(
        self, start: float, end: float, title: str | None = "A - B", genre: str | None = "jazz"
    ) -> dict[str, Any]:
        """Say the verdict of a track."""
        return self._as_heard(
            Track(
                **self._common("track", end),
                title=title,
                start=utc(start),
                end=utc(end),
                seconds=max(end - start, 0.0),
                genre=genre,
                confidence=0.7 if genre else 0.0,
                shares={},
                windows=1,
            )
        )

    def lose(self, messages: int) -> None:
        """Say so many that nobody hears."""
        self._seq["genre"] += messages

    def _common(self, kind: str, time: float) -> dict[str, Any]:
        self._seq[kind] += 1
        return {"station": self.station, "seq": self._seq[kind] - 1, "boot": self.boot, "time": utc(time)}

    def _as_heard(self, message: Message) -> dict[str, Any]:
        heard: dict[str, Any] = json.loads(encode(message))
        return heard
