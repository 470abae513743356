"""What the gateway itself has to say of stations, under a boot of its own."""

import msgspec

from streamer.errors import UpstreamError
from streamer.publish.memory import TOLD
from streamer.publish.messages import (
    UNREADABLE,
    Change,
    ChangeFrom,
    ChangeTo,
    Genre,
    Message,
    encode,
    seconds,
    topic,
    utc,
)
from streamer.publish.reporter import Memory, Reporter

LOST = "its daemon is not heard of any more"


class Own:
    """Says what no daemon says: that a station's daemon is gone, and what changed when another took over.

    Args:
        boot: id of this run of the gateway.
    """

    def __init__(self, boot: str) -> None:
        self._boot = boot
        self._first = 0  # `seq` of a station that is new, or has been forgotten
        self._seqs: dict[str, dict[str, int]] = {}
        self._newest: dict[str, float] = {}  # time of what was last said of a station: it never runs back
        self._sent: list[tuple[bytes, bytes]] = []

    def send(self, message: Message) -> None:
        """Take what is said."""
        self._sent.append((topic(message.kind, message.station), encode(message)))

    def lost(self, station: str, last: bytes | None, time: float) -> list[tuple[bytes, bytes]]:
        """Give the messages by which a station is lost: its `status` first, its `genre` last.

        Args:
            station: its id.
            last: `genre` message of it, if there was one.
            time: this moment, in seconds since the epoch.
        """
        memory, hop_s = Memory(seq=self._seqs_of(station), newest=self._newest.get(station, 0.0)), 1.0
        if (said := _read(last)) is not None:
            memory.state, memory.genre, hop_s = said.state, said.genre, said.hop
            memory.since, memory.newest = seconds(said.since), max(seconds(said.time), memory.newest)
        reporter = Reporter(self, station, self._boot, (), memory)
        reporter.status("lost", now=time, reason=UpstreamError.code, detail=LOST)
        reporter.no_signal(position_s=0.0, now=time, hop_s=hop_s)
        self._newest[station] = memory.newest
        return self._taken()

    def change(self, station: str, before: bytes | None, after: bytes) -> list[tuple[bytes, bytes]]:
        """Give the `change` from one `genre` message to the next, where it is one that no daemon tells."""
        was, becomes = _read(before), _read(after)
        if was is None or becomes is None or (was.state, was.genre) == (becomes.state, becomes.genre):
            return []
        seqs = self._seqs_of(station)
        seq = seqs["change"]
        seqs["change"] = seq + 1
        # Who is back after it was lost begins with what it heard before we said so.
        newest = self._newest[station] = max(seconds(becomes.time), self._newest.get(station, 0.0))
        self.send(
            Change(
                station=station,
                seq=seq,
                boot=self._boot,
                time=utc(newest),
                from_=ChangeFrom(state=was.state, genre=was.genre, since=was.since),
                to=ChangeTo(state=becomes.state, genre=becomes.genre, confidence=becomes.confidence),
                title=becomes.title,
            )
        )
        return self._taken()

    def forget(self, station: str) -> None:
        """Keep nothing of a station any more; should it come again, no `seq` does that it had."""
        self._newest.pop(station, None)
        self._first = max([self._first, *self._seqs.pop(station, {}).values()])

    def _seqs_of(self, station: str) -> dict[str, int]:
        return self._seqs.setdefault(station, dict.fromkeys(TOLD, self._first))

    def _taken(self) -> list[tuple[bytes, bytes]]:
        sent, self._sent = self._sent, []
        return sent


def _read(payload: bytes | None) -> Genre | None:
    """Give a `genre` message; None where there is none, or none of ours."""
    if payload is None:
        return None
    try:
        said = msgspec.json.decode(payload, type=Genre)
        seconds(said.since), seconds(said.time)  # the schema's pattern takes hour 99
    except UNREADABLE:
        return None
    return said
