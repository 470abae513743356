"""Every error that a user can meet: a stable code, one sentence, what to do, an exit status.

The code is what programs see (JSON of `classify`, `status` messages); the sentence
names the offending key, file or value; the remedy says what to do about it. Both
are one line each. `docs/operations.md` lists all codes.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple, TypeAlias

Key: TypeAlias = tuple[str | int, ...]
"""Where something stands in a configuration: names of keys, and numbers from 0 in lists."""


class GenrecastError(Exception):
    """Base of all errors that are told to a user.

    Args:
        message: one sentence that names the offending key, file or value.
        remedy: what the user can do about it, in the imperative.
    """

    code: ClassVar[str] = "internal"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Problem(NamedTuple):
    """One thing that is wrong in a configuration.

    Attributes:
        message: one sentence that names the offending key and value.
        remedy: what to do about it.
        key: where it stands; empty for the whole.
        code: as of the error that it would be by itself.
        warning: it can be lived with.
        file: or whatever else it stands in; empty where the message says it.
        line: from 1; None where it stands in no line.
        column: likewise.
    """

    message: str
    remedy: str
    key: Key = ()
    code: str = "config"
    warning: bool = False
    file: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        """Give it as compilers do, so that editors find the place."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return f"{place}: {self.message}" if place else self.message


class ConfigError(GenrecastError):
    """The configuration file or a command-line value can't be used.

    Args:
        problems: all that is wrong with it, where the message is not the only one.
    """

    code = "config"
    exit_status = 3

    def __init__(self, message: str, *, remedy: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message, remedy=remedy)
        self.problems = list(problems) or [Problem(message, remedy)]

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> "ConfigError":
        """Give the error that says all of them, one a line."""
        remedy = (
            problems[0].remedy if len(problems) == 1 else "'genrecast check FILE' says what to do about each"
        )
        return cls("\n".join(str(problem) for problem in problems), remedy=remedy, problems=problems)


class StationListError(GenrecastError):
    """A list of stations can't be read: of no known kind, too large, broken, hostile."""

    code = "station-list"
    exit_status = 3


class KeysError(ConfigError):
    """A file with keys is missing, malformed, or open to others."""

    code = "keys"


class ModelError(GenrecastError):
    """A model file can't be used at all: not ONNX, truncated, unsafe or too large."""

    code = "model-file"
    exit_status = 4


class ModelContractError(ModelError):
    """A readable ONNX file breaks the contract: a key is missing or wrong, or its probe disagrees."""

    code = "model-contract"


class ProviderError(GenrecastError):
    """An execution provider was asked for and is not active."""

    code = "provider"
    exit_status = 5


class PublishError(GenrecastError):
    """The message socket can't be opened: address in use, not local, malformed."""

    code = "publish"
    exit_status = 6


class WorkerError(GenrecastError):
    """A process that listens died. While streaming it becomes a `no-signal` with this code."""

    code = "worker"
    exit_status = 8


class UpstreamError(GenrecastError):
    """A daemon behind a gateway is not heard of any more: its stations become `no-signal` with this code."""

    code = "upstream"


class WebError(GenrecastError):
    """The page or the metrics can't be served: address in use, or a library that isn't installed."""

    code = "web"
    exit_status = 11


class MissingExtraError(GenrecastError):
    """A command or a section needs libraries that the base install doesn't bring.

    Args:
        what: that needs them, as a sentence begins.
        extra: which brings them.
    """

    code = "extra"
    exit_status = 3

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs libraries that are not installed", remedy=f"pip install 'genrecast[{extra}]'"
        )


class HistoryError(GenrecastError):
    """The history can't be read: none is there, or it is not one."""

    code = "history"
    exit_status = 10


class HistoryMissingError(HistoryError):
    """There is no history, or none yet."""


class HistoryDiskError(HistoryError):
    """A file can't be written or read: the disk is full or broken, or it isn't allowed."""

    code = "history-disk"


class HistoryLockedError(HistoryError):
    """Another process holds the database."""

    code = "history-locked"


class HistoryBrokenError(HistoryError):
    """The file is no database, or a damaged one."""

    code = "history-broken"


class HistoryServerError(HistoryError):
    """The database server can't be reached, or it refuses."""

    code = "history-server"


class HistoryVersionError(HistoryError):
    """The history was written by another version of genrecast."""

    code = "history-version"


class AttendantError(GenrecastError):
    """What subscribes to the bus beside the tagging (history, page, ...) died or hung."""

    code = "attendant"
    exit_status = 9


class MqttError(GenrecastError):
    """The broker can't be reached or refuses us. It is tried again for ever."""

    code = "mqtt"


class WebhookError(GenrecastError):
    """A message can't be posted.

    Args:
        final: True when trying again can't help.
    """

    code = "webhook"

    def __init__(self, message: str, *, remedy: str, final: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.final = final


class ControlError(GenrecastError):
    """No daemon, or more than one, could be asked for something."""

    code = "control"
    exit_status = 12


class ClusterError(GenrecastError):
    """A Ray cluster can't be reached, or can't do what is asked of it."""

    code = "cluster"
    exit_status = 14


class ArchiveError(GenrecastError):
    """An archive can't be tagged: nothing to read, or nowhere to write."""

    code = "archive"
    exit_status = 15


class ServiceError(GenrecastError):
    """A systemd unit can't be written, or what it would start could not work."""

    code = "service"
    exit_status = 13


class SourceError(GenrecastError):
    """Audio can't be had from a source. While streaming it becomes a `no-signal` with this code.

    Args:
        final: True when trying again can't help (a file that is not audio), so
            that the engine stops instead of backing off.
    """

    code = "source"
    exit_status = 7

    def __init__(self, message: str, *, remedy: str, final: bool = False) -> None:
        super().__init__(message, remedy=remedy)
        self.final = final


class SourceFaultError(SourceError):
    """A source failed in a way that nobody foresaw: a fault of ours, told and lived with."""

    code = "internal"
    exit_status = 1


class SourceUriError(SourceError):
    """A source's URI is malformed or its scheme or a parameter is unknown."""

    code = "source-uri"
    exit_status = 3


class SourceNotFoundError(SourceError):
    """No such file, folder, host, device or stream."""

    code = "source-not-found"


class SourceForbiddenError(SourceError):
    """The stream leads to an address that is not of the public internet, and the user has not named it."""

    code = "source-forbidden"


class SourceConnectionError(SourceError):
    """The connection was refused, reset, timed out or failed in TLS."""

    code = "source-connection"


class SourceHttpError(SourceError):
    """The server answered, but not with a stream: a status, a redirect loop, broken headers."""

    code = "source-http"


class SourceStalledError(SourceError):
    """The source is open and gives no audio."""

    code = "source-stalled"


class SourceEndedError(SourceError):
    """A live source ended: the server closed the stream or the mount went away."""

    code = "source-ended"


class SourceDeviceError(SourceError):
    """The sound card can't be opened, or it vanished."""

    code = "source-device"


class NotAudioError(SourceError):
    """The bytes are no audio that we decode: text, an image, an unknown or refused codec."""

    code = "not-audio"


class EmptyAudioError(SourceError):
    """There is no audio at all: an empty file, or a file whose audio track holds nothing."""

    code = "empty"


class TooShortError(SourceError):
    """There is less audio than can be judged."""

    code = "too-short"


class BrokenAudioError(SourceError):
    """Audio began and then could not be decoded any further."""

    code = "broken-audio"
