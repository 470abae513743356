"""What a data set is to the rest of training: clips with a label and a group."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import msgspec


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """One recording.

    Attributes:
        id: unique in its set and the same on every machine; usually the path in the set.
        path: where the audio lies here.
        label: what it is, as the set says.
        group: artist, speaker or collection: a split never has a group on both sides.
        licence: as the set says, empty where it says nothing.
        split: the part of the makers' official split: `training`, `validation`, `test`; empty: in none.
    """

    id: str
    path: Path
    label: str
    group: str
    licence: str = ""
    split: str = ""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A clip that can't be used: `reason` is a stable code, `detail` a sentence; `label` may be empty."""

    id: str
    label: str
    reason: str
    detail: str


class Reader(ABC):
    """Reads one kind of data set.

    Args:
        where: the file or folder that the user named.

    Attributes:
        notes: sentences on the set as a whole that a user must know; complete once `clips` has ended.
    """

    def __init__(self, where: Path) -> None:
        self.where = where
        self.notes: list[str] = []

    @abstractmethod
    def clips(self) -> Iterator[Clip | LeftOut]:
        """Give every clip that the set lists, whether or not its file is there, or why it is left out.

        Raises:
            DataError: the set itself can't be read.
        """
