"""What is said between a part's supervisor and the process that tags its files, as msgpack.

An empty message is a beat: the process comes round.
"""

from typing import TypeAlias

import msgspec

from streamer.engine.wire import Failure
from streamer.flow import State


class Begin(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """The first word to the process: the model, and its name."""

    model: bytes
    name: str


class Files(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """Files to be tagged in this order; paths are those of `Media`."""

    paths: list[bytes]


class Ready(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """The model is loaded."""


class Segment(msgspec.Struct, frozen=True, array_like=True):
    """A window of a file; see `streamer.engine.classify.Segment`."""

    start_s: float
    end_s: float
    state: State
    genre: str | None
    confidence: float
    probabilities: list[float] | None


class Tagged(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """What a file is; see `streamer.engine.classify.Classification`."""

    state: State
    genre: str | None
    confidence: float
    probabilities: list[float] | None
    seconds: float
    segments: list[Segment]


class Failed(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """Why a file can't be tagged: an error's code, and its sentence."""

    code: str
    message: str


ToTagging: TypeAlias = Begin | Files
Answer: TypeAlias = Tagged | Failed
FromTagging: TypeAlias = Ready | Answer | Failure

encode = msgspec.msgpack.encode
