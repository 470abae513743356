"""What a subscriber sees: one structure a kind of message, its JSON, and the JSON Schema of it.

Names are fixed; additions are allowed; a removal is a new version. `docs/messages.md`
says what can be relied on.
"""

import json
import math
import secrets
import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from streamer.flow import State

VERSION: Literal[1] = 1

Utc = Annotated[
    str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", description="UTC, RFC 3339, ms")
]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
StationId = Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9_-]{0,63}|-)$")]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0.0)]


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What every message begins with.

    Attributes:
        v: version of this description.
        station: its id; `-` for the daemon itself.
        seq: counts this station's messages of this kind, from 0, no holes unless messages were lost.
        boot: id of this run of the daemon; one that began later sorts after it.
        time: of the window's last sample; for `status` and `heartbeat` the moment itself.
    """

    v: Literal[1] = VERSION
    kind: str
    station: StationId
    seq: Count
    boot: str
    time: Utc


class WindowOnly(msgspec.Struct, frozen=True, kw_only=True):
    """What one window says by itself, unsmoothed."""

    label: str
    confidence: Probability


class Genre(Message, frozen=True, kw_only=True):
    """Every hop: the complete state of a station."""

    kind: Literal["genre"] = "genre"
    state: State
    genre: str | None
    confidence: Probability
    since: Utc
    probabilities: dict[str, Probability] | UnsetType = UNSET
    window: WindowOnly | None
    level_dbfs: float | None
    position: Seconds
    gap: bool
    lag_ms: Annotated[float, Meta(ge=0.0)]
    hop: Seconds
    title: str | None


class ChangeFrom(msgspec.Struct, frozen=True, kw_only=True):
    """What was said before."""

    state: State
    genre: str | None
    since: Utc


class ChangeTo(msgspec.Struct, frozen=True, kw_only=True):
    """What is said from here on."""

    state: State
    genre: str | None
    confidence: Probability


class Change(Message, frozen=True, kw_only=True):
    """Only when state or genre changes."""

    kind: Literal["change"] = "change"
    from_: ChangeFrom = msgspec.field(name="from")
    to: ChangeTo
    title: str | None


class Track(Message, frozen=True, kw_only=True):
    """When a track has ended: what the whole of it was."""

    kind: Literal["track"] = "track"
    title: str | None
    start: Utc
    end: Utc
    seconds: Seconds
    genre: str | None
    confidence: Probability
    probabilities: dict[str, Probability] | UnsetType = UNSET
    shares: dict[State, Probability]
    windows: Count


class AudioFormat(msgspec.Struct, frozen=True, kw_only=True):
    """What the source sends; bitrate in bit/s where it says one."""

    codec: str
    rate: Count
    channels: Count
    bitrate: int | None


StatusEvent = Literal["connecting", "connected", "lost", "retrying", "format", "title", "stopped"]


class Status(Message, frozen=True, kw_only=True):
    """When something happens to a source."""

    kind: Literal["status"] = "status"
    event: StatusEvent
    reason: str
    detail: str
    retry_in: Seconds | None
    format: AudioFormat | None


AttendingState = Literal["running", "trouble", "restarting"]


class Attending(msgspec.Struct, frozen=True, kw_only=True):
    """How an attendant is.

    Attributes:
        state: `restarting` from its end until the next process gives a sign of life.
        code: of the error, null where all is well.
        detail: one sentence.
    """

    state: AttendingState
    code: str | None
    detail: str


class Heartbeat(Message, frozen=True, kw_only=True):
    """Every 5 s, and when an attendant changes: the daemon itself.

    Attributes:
        stations: how many stations are in each state.
        cpu: share of one core since the heartbeat before, of all processes of the daemon.
        cpu_by_stage: CPU seconds since the start, of all of them, by what they were spent on.
        rss_mb: resident memory in MiB, of all of them; pages that they share count more than once.
        windows: windows done since the start.
        dropped: windows that were due and not done since the start.
        hop_stretch: factor by which hops are longer than asked for.
        workers: processes that listen.
        restarts: how often one of them died and was started again.
        attendants: those that the configuration asks for, by name.
        daemons: how many this tells of; more or less than one where a gateway tells it.
    """

    kind: Literal["heartbeat"] = "heartbeat"
    version: str
    model: str
    provider: str
    uptime: Seconds
    stations: dict[State, Count]
    cpu: Annotated[float, Meta(ge=0.0)]
    cpu_by_stage: dict[str, Annotated[float, Meta(ge=0.0)]]
    rss_mb: Annotated[float, Meta(ge=0.0)]
    lag_ms_p50: Annotated[float, Meta(ge=0.0)] | None
    lag_ms_p99: Annotated[float, Meta(ge=0.0)] | None
    windows: Count
    dropped: Count
    hop_stretch: Annotated[float, Meta(ge=1.0)]
    workers: Count
    restarts: Count
    attendants: dict[str, Attending]
    daemons: Count = 1


class Mel(Message, frozen=True, kw_only=True):
    """Every hop, while somebody subscribes to `mel/<station>/`: what its new audio looks like.

    Attributes:
        position: seconds of audio since the source opened, at the end of the last column.
        seconds: that the columns are long together; each as long as the others.
        columns: how many, about ten a second.
        bands: mel bands of the model, the lowest first.
        floor_db: what a byte of 0 stands for, in dB as the model sees it (its running level taken off).
        step_db: from one byte to the next.
        data: columns * bands bytes, column by column, in base64.
    """

    kind: Literal["mel"] = "mel"
    position: Seconds
    seconds: Seconds
    columns: Count
    bands: Count
    floor_db: float
    step_db: Annotated[float, Meta(ge=0.0)]
    data: bytes


Kind = Literal["genre", "change", "track", "status", "heartbeat", "mel"]
KINDS: dict[str, type[Message]] = {
    "genre": Genre,
    "change": Change,
    "track": Track,
    "status": Status,
    "heartbeat": Heartbeat,
    "mel": Mel,
}
RETAINED = frozenset({"genre", "track", "status", "heartbeat"})
"""Kinds whose last message is sent again to a new subscriber."""
ON_DEMAND = "mel"
"""The kind that is made only for those stations of which somebody subscribes to it by their full topic."""

UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)
"""What reading a stranger's message may raise, its times included."""

_ENCODER = msgspec.json.Encoder()


def encode(message: Message | str) -> bytes:
    """Give the JSON of a message, or of a text in one; msgspec writes no NaN and no Infinity."""
    return _ENCODER.encode(message)


@lru_cache(10_000)  # a few for each station of a daemon; a gateway's come and go
def topic(kind: str, station: str) -> bytes:
    """Give the topic; the closing slash makes it match itself alone when used as a prefix."""
    return f"{kind}/{station}/".encode()


def new_boot() -> str:
    """Give an id for a run: milliseconds since the epoch, by which runs sort, and chance."""
    return f"{int(time.time() * 1e3):011x}{secrets.token_hex(3)}"


def utc(seconds: float) -> str:
    """Give seconds since the epoch as RFC 3339 with milliseconds."""
    part, whole = math.modf(seconds)
    second, microseconds = divmod(int(whole) * 1_000_000 + round(part * 1e6), 1_000_000)
    return f"{_utc_to_the_second(second)}.{microseconds // 1000:03}Z"


def seconds(utc: str) -> float:
    """Give a message's time as seconds since the epoch: what `utc` was given."""
    return datetime.fromisoformat(utc).timestamp()


@lru_cache(16)  # stations tell about the same moment
def _utc_to_the_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def schema(kind: str) -> dict[str, Any]:
    """Give the JSON Schema of a kind, as published in `streamer/publish/schema/`."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | msgspec.json.schema(KINDS[kind])


def write_schemas(folder: Path) -> None:
    """Write the schema files anew; a test holds them against the structures."""
    for kind in KINDS:
        text = json.dumps(schema(kind), indent=2, sort_keys=True)
        (folder / f"{kind}.json").write_text(text + "\n", encoding="utf-8")
