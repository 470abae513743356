"""From messages to rows: `genre` messages become segments, `track` messages become tracks.

A segment reaches from the moment at which its state and genre began to the last message that said so; it
is never longer than what was heard. So nothing has to be noticed in time when a station, the daemon or
the machine goes away: what is there is already right, and what comes next begins anew.
"""

from typing import Any

import msgspec

from streamer.history.backlog import Backlog
from streamer.history.rows import LONGEST_S, Heard, Open, Segment, TrackRow, after
from streamer.publish.messages import seconds

Message = dict[str, Any]

# A station tells its state every hop. Where this many are missing, nobody was listening.
HOLE_HOPS = 3.0
HOLE_S = 5.0  # at the least
# A clock that is set back so far was wrong before: what it dated is left alone, and history begins anew.
# Set back by less, history stands still until it has come again to where it was.
BACK_S = 7200.0
MEASURED = ("silence", "no-signal")  # states that are no guess: how sure they are says nothing


class Fold:
    """Folds the messages of all stations; what is to be written is laid into a backlog.

    Args:
        backlog: takes the rows.
    """

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._open: dict[str, Open] = {}
        self._seq: dict[str, int] = {}

    def resume(self, stored: list[Open]) -> None:
        """Go on from what is in the database.

        What was heard before it could be read gives way where the two overlap.
        """
        ends = {one.segment.station: one.segment.end for one in stored}
        self._backlog.begin_after(ends)
        for one in stored:
            station = one.segment.station
            if (heard := self._open.get(station)) is None:
                self._open[station] = one
            else:
                self._backlog.add(one.segment)
                if heard.segment.start < one.segment.end:
                    self._keep(heard.boot, after(heard.segment, one.segment.end))

    def take(self, message: Message) -> None:
        """Take a message."""
        match message["kind"]:
            case "genre":
                self._genre(message)
            case "track":
                self._track(message)

    def _genre(self, said: Message) -> None:
        station, boot = said["station"], said["boot"]
        time, since = seconds(said["time"]), seconds(said["since"])
        confidence = None if said["state"] in MEASURED else said["confidence"]
        new = Segment(station, said["state"], said["genre"], confidence, since, time)
        before, told = self._open.get(station), self._seq.get(station)
        self._seq[station] = said["seq"]
        if before is None or time < before.segment.end - BACK_S:
            self._begin(boot, new, since)
            return
        last = before.segment
        heard = time - last.end <= max(HOLE_S, HOLE_HOPS * said["hop"])
        # Messages that were lost on their way to us were told all the same.
        missed = said["seq"] - 1 != told and since <= last.end
        # At a gateway, a daemon that takes a station over has been listening before.
        moved = heard and since <= last.end <= time
        if not (heard or missed if boot == before.boot else moved):
            self._begin(boot, new, since if since > last.end else max(time, last.end))
        elif (new.state, new.genre) != (last.state, last.genre):
            began = max(last.end, min(since, time))
            self._keep(boot, _until(last, began, last.confidence))
            self._begin(boot, new, began)
        elif time - last.start > LONGEST_S:
            self._begin(boot, new, last.end)
        elif time > last.end:
            self._keep(boot, _until(last, time, new.confidence))

    def _begin(self, boot: str, new: Segment, start: float) -> None:
        """Finish what is open of a station, and open what is new."""
        before = self._open.get(new.station)
        if before is not None:
            self._backlog.add(before.segment)
        start = max(start, new.end - LONGEST_S)
        self._keep(boot, msgspec.structs.replace(new, start=start, end=max(start, new.end)))

    def _keep(self, boot: str, segment: Segment) -> None:
        self._open[segment.station] = Open(boot, segment)
        self._backlog.open(self._open[segment.station])

    def _track(self, said: Message) -> None:
        genre, title = said["genre"], said["title"]
        if title is not None:
            title = title.replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL takes none
        track = TrackRow(
            station=said["station"],
            title=title,
            genre=genre,
            confidence=None if genre is None else said["confidence"],
            start=seconds(said["start"]),
            end=seconds(said["end"]),
            seconds=said["seconds"],
        )
        self._backlog.add(Heard(said["boot"], said["seq"], track))


def _until(segment: Segment, end: float, confidence: float | None) -> Segment:
    """Give a segment that reaches further, with the mean of its confidence over time."""
    end = min(end, segment.start + LONGEST_S)
    had, more = segment.end - segment.start, end - segment.end
    mean = confidence
    if segment.confidence is not None and confidence is not None and had + more > 0:
        mean = (segment.confidence * had + confidence * more) / (had + more)
    return msgspec.structs.replace(segment, end=end, confidence=mean)
