"""One station as the page knows it, from its messages: what is now, the last minutes, the last hour."""

from collections import deque
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from streamer.publish.messages import seconds

Began: TypeAlias = Sequence[tuple[float, str | None]]
"""What began when, oldest first: a genre or a state; None where nobody listened."""

STRIP_S = 3600.0
STRIP_MOST = 240  # changes that are kept of it; a station that changes more often is seen no better
RECENT = 300  # answers of the last minutes that are kept
RECENT_EVERY_S = 0.9  # from one of them to the next, however short the hop
TRACKS = 20
SILENT_S = 11.0  # without a message: two heartbeats and a bit, or three hops where those are longer
FULL = 255
UNHEARD = ("unheard", "nothing was heard of it since the daemon began anew")


class Station:
    """What is known of one. All times are seconds since the epoch.

    Args:
        id: of it.
        before: what was before its first message.

    Attributes:
        id: of it.
        boot: of who spoke last of it.
        heard: when its last message was made.
        strip: what began when in the last hour.
        tracks: that ended last, the newest first, as their messages say it.
        trouble: reason and sentence since it was lost; None while it is well.
    """

    def __init__(self, id: str, before: Began = ()) -> None:
        self.id = id
        self.boot = ""
        self.heard = 0.0
        self.strip: deque[tuple[float, str | None]] = deque(before, STRIP_MOST)
        self.tracks: deque[dict[str, Any]] = deque(maxlen=TRACKS)
        self.trouble: tuple[str, str] | None = None
        self._event = "connecting"
        self._now: dict[str, Any] | None = None
        self._since = 0.0
        self._recent = Recent()

    @property
    def probabilities(self) -> dict[str, float] | None:
        """As they are now; None in a state that is measured."""
        return self._now.get("probabilities") if self._now else None

    def take(self, message: dict[str, Any]) -> None:
        """Take one of its messages."""
        self.boot = message["boot"]
        time = seconds(message["time"])
        match message["kind"]:
            case "genre":
                self._take_genre(message, time)
            case "track":
                self.tracks.appendleft(track(message))
            case "status" if message["event"] not in ("title", "format"):
                self._event = message["event"]
                if message["reason"] != "ok":
                    self.trouble = (message["reason"], message["detail"])
                elif self._event == "connected":
                    self.trouble = None
        self.heard = max(self.heard, time)

    def unheard(self) -> None:
        """Take note that another daemon speaks now, which has not told of this station yet."""
        self._event, self._now = "stopped", None
        self.trouble = UNHEARD
        if self.strip and self.strip[-1][1] is not None:
            self.strip.append((self.heard, None))

    def row(self) -> dict[str, Any]:
        """Give what changes now and then, as it is sent."""
        now = self._now or {"state": "no-signal", "genre": None, "title": None}
        said = {
            "id": self.id,
            "state": now["state"],
            "genre": now["genre"],
            "since": round(self._since, 3),
            "title": now["title"],
            "event": self._event,
        }
        return said | ({"reason": self.trouble[0], "detail": self.trouble[1]} if self.trouble else {})

    def meter(self) -> tuple[int, int | None]:
        """Give what changes all the time: confidence in percent, level in dB of full scale."""
        if self._now is None:
            return 0, None
        level = self._now["level_dbfs"]
        return round(100 * self._now["confidence"]), None if level is None else round(level)

    def told(self) -> dict[str, Any]:
        """Give what its own page begins with: `recent` probabilities, the `strip`, the last `tracks`."""
        return {"recent": self._recent.told(), "strip": list(self.strip), "tracks": list(self.tracks)}

    def remember(self, began: Began) -> None:
        """Take what was before the first message."""
        first = self.strip[0][0] if self.strip else float("inf")
        known = [*((time, what) for time, what in began if time < first), *self.strip]
        self.strip = deque(known, STRIP_MOST)

    def _take_genre(self, message: dict[str, Any], time: float) -> None:
        if self._now is not None and time - self.heard > max(SILENT_S, 3 * message["hop"]):
            self.strip.append((self.heard, None))
        if message["state"] != "no-signal":  # the last status may have been a title
            self._event, self.trouble = "connected", None
        elif self.trouble == UNHEARD:
            self.trouble = None
        self._now, self._since = message, seconds(message["since"])
        what = message["genre"] or message["state"]
        if not self.strip or self.strip[-1][1] != what:
            began = max(self._since, self.strip[-1][0]) if self.strip else self._since
            self.strip.append((began, what))
        while len(self.strip) > 1 and self.strip[1][0] < time - STRIP_S:
            self.strip.popleft()
        self._recent.add(time, message.get("probabilities"))


class Recent:
    """The probabilities of the last minutes, one byte each: a thousand stations have many."""

    def __init__(self) -> None:
        self._labels: tuple[str, ...] = ()
        self._values = np.zeros((RECENT, 0), np.uint8)
        self._times = np.zeros(RECENT)
        self._count = 0

    def add(self, time: float, probabilities: dict[str, float] | None) -> None:
        """Take an answer; None where there is none, which is shown as a hole."""
        if self._count and time - self._times[(self._count - 1) % RECENT] < RECENT_EVERY_S:
            return
        if probabilities is not None and tuple(probabilities) != self._labels:  # another model answers
            self._labels, self._count = tuple(probabilities), 0
            self._values = np.zeros((RECENT, len(self._labels)), np.uint8)
        at = self._count % RECENT
        self._times[at] = time
        self._values[at] = 0 if probabilities is None else [p * FULL + 0.5 for p in probabilities.values()]
        self._count += 1

    def told(self) -> dict[str, Any]:
        """Give labels, times and values, oldest first; all zero in a hole."""
        order = np.arange(max(self._count - RECENT, 0), self._count) % RECENT
        values = (self._values[order] / FULL).round(3)
        return {"labels": self._labels, "times": self._times[order].tolist(), "values": values.tolist()}


def track(message: dict[str, Any]) -> dict[str, Any]:
    """Give a track as it is sent: the verdict on the whole of it."""
    state = max(message["shares"], key=message["shares"].get, default="no-signal")
    return {
        "title": message["title"],
        "what": message["genre"] or state,
        "confidence": message["confidence"] if message["genre"] else None,
        "start": seconds(message["start"]),
        "end": seconds(message["end"]),
    }
