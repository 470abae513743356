"""Every error that a user can meet: a stable code, one sentence, what to do, an exit status.

The code is what programs see (JSON of `classify`, `status` messages); the sentence
names the offending key, file or value; the remedy says what to do about it. Both
are one line each. `docs/operations.md` lists all codes.
"""

from typing import ClassVar


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


class ConfigError(GenrecastError):
    """The configuration file or a command-line value can't be used."""

    code = "config"
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
