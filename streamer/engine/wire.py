"""What the daemon and its workers say to each other, over a socket pair: length and msgpack."""

import asyncio
from typing import Any, TypeAlias

import msgspec

from streamer.config import Config, StationConfig
from streamer.errors import GenrecastError
from streamer.publish.reporter import Memory

MAX_WAITING = 16 << 20
"""Bytes that may wait for the other side, minutes of many stations; what is beyond is lost (see `seq`)."""


class Start(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """The first word to a worker.

    Attributes:
        config: with the stations that are its own.
        boot: id of this run of the daemon.
        memories: what was told of stations before.
        log_level: as `logging` counts.
    """

    config: Config
    boot: str
    memories: dict[str, Memory]
    log_level: int


class Stretch(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """How many times longer hops are than asked for; the first one means "begin"."""

    factor: float


class Alter(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """Stations come and go while the others go on.

    Attributes:
        drop: ids of those that go.
        add: those that come; one that is changed goes and comes.
        memories: what was told before of those that come from elsewhere.
    """

    drop: tuple[str, ...]
    add: tuple[StationConfig, ...]
    memories: dict[str, Memory]


class Watch(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """Of which stations `mel` messages are wanted, and of no others."""

    stations: frozenset[str]


class Stop(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """Tell every station's end, and go."""


class Failure(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """An error of ours on its way from one process to the other. From a worker: it can't begin."""

    code: str
    message: str
    remedy: str
    exit_status: int


class Ready(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """The worker's model is loaded and checked."""

    model: str
    provider: str
    labels: tuple[str, ...]


class Said(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """Messages to be published: topic and payload."""

    messages: list[tuple[bytes, bytes]]


class Pulse(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """Every second: how the worker is.

    Attributes:
        lags_ms: of the windows since the pulse before.
        windows: done since it began.
        dropped: due and not done since it began.
        busy: share of the time since the pulse before in which it had work.
        cpu_s: CPU seconds so far.
        rss_mb: resident memory in MiB.
        stages: CPU seconds so far that were spent on what (`engine.stages`).
    """

    lags_ms: list[float]
    windows: int
    dropped: int
    busy: float
    cpu_s: float
    rss_mb: float
    stages: dict[str, float]


class Ended(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """A station has ended for good.

    Attributes:
        station: its id.
        number: the how manieth of all that the worker was told of; an id may come again.
        failure: where that was neither its own end nor asked for.
    """

    station: str
    number: int
    failure: Failure | None


ToWorker: TypeAlias = Start | Stretch | Alter | Watch | Stop
FromWorker: TypeAlias = Ready | Failure | Said | Pulse | Ended

_ENCODER = msgspec.msgpack.Encoder()


class Wire:
    """One end of the pair.

    Args:
        kind: what the other end says.
        reader, writer: of the socket.
    """

    def __init__(self, kind: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._decoder = msgspec.msgpack.Decoder(kind)
        self._reader, self._writer = reader, writer

    def send(self, what: ToWorker | FromWorker) -> None:
        """Send; never blocks. Where the other end doesn't read for minutes, it is lost."""
        data = _ENCODER.encode(what)
        if self._writer.transport.get_write_buffer_size() < MAX_WAITING:
            self._writer.write(len(data).to_bytes(4, "little") + data)

    async def read(self) -> Any:
        """Wait for what comes next; None when the other end has gone."""
        try:
            size = int.from_bytes(await self._reader.readexactly(4), "little")
            return self._decoder.decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError):
            return None

    async def close(self) -> None:
        """Send what is left, and let go."""
        try:
            self._writer.close()
            await self._writer.wait_closed()
        except OSError:
            pass


def failure_of(error: GenrecastError) -> Failure:
    """Give an error as it travels."""
    return Failure(error.code, error.message, error.remedy, error.exit_status)


def as_error(failure: Failure) -> GenrecastError:
    """Give an error that has travelled as what it was."""
    error = GenrecastError(failure.message, remedy=failure.remedy)
    error.code, error.exit_status = failure.code, failure.exit_status  # type: ignore[misc]
    return error
