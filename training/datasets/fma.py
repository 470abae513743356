"""FMA, the Free Music Archive data set (Defferrard et al. 2017): `fma_metadata/` beside `fma_small/`.

`tracks.csv` has two header rows, a group and a name for each column (`track`, `genre_top`), and a third
that names the index. Subsets are cumulative: a track says the smallest that it is in.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from training.datasets.base import Clip, LeftOut, Reader
from training.errors import DataError

AS_PUBLISHED = "take it from fma_metadata.zip as it is"
SUBSETS = ("small", "medium", "large", "full")
OFFICIAL = ("training", "validation", "test")
KNOWN_BAD = frozenset({98565, 98567, 98569, 99134, 108925, 133297})  # cut short, says the FMA's own wiki
UNKNOWN_ARTIST = "fma-artist-unknown"  # one group of all of them: too large is safe, too small leaks
SUBSET, SPLIT, ARTIST = ("set", "subset"), ("set", "split"), ("artist", "id")
TOP, GENRES, LICENCE = ("track", "genre_top"), ("track", "genres"), ("track", "license")
WANTED = (SUBSET, SPLIT, ARTIST, TOP, GENRES, LICENCE)
LONGEST_FIELD = 1 << 24  # artists have written their lives into it

Row = dict[tuple[str, str], str]


class FmaReader(Reader):
    """Reads FMA's metadata, and one of its subsets.

    A track's label is its `genre_top`; where that is empty, the one top-level parent that all its genres
    have. A track with several parents, or with no genre, is left out.

    Args:
        where: the folder that holds `fma_metadata` and `fma_<subset>`.
        subset: one of `SUBSETS`.
    """

    def __init__(self, where: Path, *, subset: str = "small") -> None:
        super().__init__(where)
        self._subset = subset
        self._counts: Counter[str] = Counter()

    def clips(self) -> Iterator[Clip | LeftOut]:
        """Give the tracks of the subset in the order of `tracks.csv`."""
        audio = self.where / f"fma_{self._subset}"
        if not audio.is_dir():
            raise DataError(
                f"{audio}: no such folder", remedy="unpack the subset there, or name another by --fma-subset"
            )
        genres = self._genres()
        for number, row in self._tracks():
            smallest = row[SUBSET] if row[SUBSET] in SUBSETS else "full"
            if SUBSETS.index(smallest) <= SUBSETS.index(self._subset):
                yield self._clip(number, row, genres)
        for said, count in self._counts.items():
            self.notes.append(f"{count} tracks {said}")

    def _clip(self, number: int, row: Row, genres: dict[int, tuple[str, str]]) -> Clip | LeftOut:
        name = f"{number:06}"[:3] + f"/{number:06}.mp3"
        parents = sorted({self._parent(genre, genres, number) for genre in self._list(row[GENRES], number)})
        label = row[TOP] or (parents[0] if len(parents) == 1 else "")
        if number in KNOWN_BAD and self._subset != "full":
            return LeftOut(
                id=name, label=label, reason="known-bad", detail=f"{name}: FMA lists it as cut short"
            )
        if not label and parents:
            detail = f"{name}: its genres have several parents: {', '.join(parents)}"
            return LeftOut(id=name, label="", reason="several-genres", detail=detail)
        if not label:
            return LeftOut(id=name, label="", reason="no-genre", detail=f"{name}: it has no genre")
        self._count(row, label, parents)
        return Clip(
            id=name,
            path=self.where / f"fma_{self._subset}" / name,
            label=label,
            group=f"fma-artist-{row[ARTIST]}" if row[ARTIST] else UNKNOWN_ARTIST,
            licence=row[LICENCE],
            split=row[SPLIT] if row[SPLIT] in OFFICIAL else "",
        )

    def _count(self, row: Row, label: str, parents: list[str]) -> None:
        """Count what is decided for a track that a reader of its figures should know."""
        if not row[TOP]:
            self._counts["have no genre_top and got the one parent of their genres"] += 1
        elif parents and parents != [label]:
            self._counts["have a genre_top that is not the one parent of their genres: genre_top counts"] += 1
        if not row[ARTIST]:
            self._counts["name no artist and are one group together"] += 1

    def _tracks(self) -> Iterator[tuple[int, Row]]:
        """Give (track id, row) of all tracks."""
        path = self.where / "fma_metadata" / "tracks.csv"
        rows = _rows(path)
        upper, lower, _ = (next(rows, []) for _ in range(3))
        columns = {key: i for i, key in enumerate(zip(upper, lower, strict=False)) if key in WANTED}
        for wanted in WANTED:
            if wanted not in columns:
                raise DataError(
                    f"{path}: column {'.'.join(wanted)} is missing from its first two lines",
                    remedy="take it from fma_metadata.zip as it is, with its three header lines",
                )
        for row in rows:
            if not row[:1] or not row[0].isdigit() or len(row) < len(upper):
                raise DataError(f"{path}: no track in the row {row[:3]}", remedy=AS_PUBLISHED)
            yield int(row[0]), {key: row[i].strip() for key, i in columns.items()}

    def _genres(self) -> dict[int, tuple[str, str]]:
        """Give the (title, title of its top-level parent) of every genre."""
        path = self.where / "fma_metadata" / "genres.csv"
        rows = _rows(path)
        header = next(rows, [])
        try:
            at, title, top = (header.index(name) for name in ("genre_id", "title", "top_level"))
            found = {int(row[at]): (row[title], int(row[top])) for row in rows}
            return {genre: (name, found[parent][0]) for genre, (name, parent) in found.items()}
        except (ValueError, IndexError, KeyError) as error:
            raise DataError(
                f"{path}: no table of genre_id, title, top_level: {error}",
                remedy=AS_PUBLISHED,
            ) from error

    def _list(self, text: str, number: int) -> list[int]:
        try:
            return [int(genre) for genre in json.loads(text or "[]")]
        except (ValueError, TypeError) as error:
            raise DataError(
                f"tracks.csv: track {number} has the genres '{text}', which is no list of numbers",
                remedy=AS_PUBLISHED,
            ) from error

    def _parent(self, genre: int, genres: dict[int, tuple[str, str]], number: int) -> str:
        try:
            return genres[genre][1]
        except KeyError:
            raise DataError(
                f"genres.csv: does not know genre {genre} of track {number}",
                remedy="take both files from one fma_metadata.zip",
            ) from None


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        csv.field_size_limit(LONGEST_FIELD)
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.reader(file)
    except OSError as error:
        raise DataError(
            f"{path}: can't be read: {error.strerror}", remedy="give --fma the folder that holds fma_metadata"
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: no CSV in UTF-8: {error}", remedy=AS_PUBLISHED) from error
