"""The plan of an archive: every file in one part, written down before the first is tagged.

A part is what is done, and done again, as a whole. A file of the plan stays in its part for
ever; files that are new at a later run become further parts (`streamer.archive.todo`).
"""

import math
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import msgspec
import pyarrow as pa

from streamer.archive.listing import Media
from streamer.archive.place import Place
from streamer.archive.rows import decode, encode
from streamer.errors import ArchiveError

PARTS = 2048  # of a large archive: hundreds of cores end at about the same time, and a folder still lists
FILES = range(8, 257)  # in a part: few files cost a table each, many are much to do again after a kill
PART_BYTES = 1 << 30  # likewise: nine hours of music, and more of speech
KEY = b"genrecast"

_SCHEMA = [("part", pa.int32()), ("path", pa.binary()), ("size", pa.int64()), ("stamp", pa.string())]


class Part(NamedTuple):
    """Files whose rows are written together.

    Attributes:
        number: from 0.
        media: its files, by path.
        failed: paths of those that are tagged again since they failed.
        changed: paths of those that are tagged again since they have changed.
    """

    number: int
    media: tuple[Media, ...]
    failed: frozenset[bytes] = frozenset()
    changed: frozenset[bytes] = frozenset()

    @property
    def tried(self) -> tuple[Media, ...]:
        """Its files that are tagged: all, or those that are tagged again."""
        again = self.failed | self.changed
        return tuple(each for each in self.media if each.path in again) if again else self.media

    @property
    def size(self) -> int:
        """Bytes of the files that are tagged."""
        return sum(each.size for each in self.tried)


class Tags(msgspec.Struct, frozen=True):
    """What an archive is tagged with: all of it by the same.

    Attributes:
        model: as the contract names it.
        sha256: of the model file.
        contract: version of the contract.
        labels: of the model.
    """

    model: str
    sha256: str
    contract: int
    labels: tuple[str, ...]


def cut(media: Iterable[Media], first: int) -> list[Part]:
    """Cut a list into parts, numbered from `first` on: each file in one, in the same order."""
    left = list(media)
    most = min(max(math.ceil(len(left) / PARTS), FILES.start), FILES.stop - 1)
    parts: list[Part] = []
    taken: list[Media] = []
    size = 0
    for each in left:
        if taken and (len(taken) == most or size + each.size > PART_BYTES):
            parts.append(Part(first + len(parts), tuple(taken)))
            taken, size = [], 0
        taken.append(each)
        size += each.size
    return [*parts, Part(first + len(parts), tuple(taken))] if taken else parts


def file_name(number: int) -> str:
    """Give the name that a part's tables have."""
    return f"part-{number:06}.parquet"


def plan_name(number: int) -> str:
    """Give the name of the plan that a run has added, counted from 0."""
    return f"plan-{number:04}.parquet"


def read_plans(place: Place, tags: Tags) -> dict[str, list[Part]]:
    """Give the parts that are written down, by the name of their plan.

    Raises:
        ArchiveError: what is there was tagged with something else, or is no plan of ours.
    """
    names = [name for name in place.names() if name.startswith("plan-") and name.endswith(".parquet")]
    return {name: _read(place, name, tags) for name in names}


def write_plan(place: Place, name: str, parts: Iterable[Part], tags: Tags) -> None:
    """Write parts down.

    Raises:
        ArchiveError: they can't be written.
    """
    rows = [(part.number, *each) for part in parts for each in part.media]
    schema = pa.schema(_SCHEMA, metadata={KEY: msgspec.json.encode(tags)})
    place.write(name, encode(rows, schema))


def _read(place: Place, name: str, tags: Tags) -> list[Part]:
    data = place.read(name)
    try:
        table = decode(data)
        begun = msgspec.json.decode(table.schema.metadata[KEY], type=Tags)
        numbers, *files = (table[column].to_pylist() for column, _ in _SCHEMA)
    except (pa.ArrowException, msgspec.MsgspecError, KeyError, TypeError) as error:
        raise ArchiveError(
            f"{place.out}/{name}: no plan of an archive", remedy="give another --out"
        ) from error
    if begun != tags:
        raise ArchiveError(
            f"{place.out} was begun with the model {_said(begun)}, not {_said(tags)}",
            remedy="give the same --model, or another --out",
        )
    media = iter(map(Media, *files))
    return [Part(number, tuple(islice(media, count))) for number, count in Counter(numbers).items()]


def _said(tags: Tags) -> str:
    return f"'{tags.model}' (sha256 {tags.sha256[:12]}, contract {tags.contract})"
