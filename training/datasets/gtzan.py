"""GTZAN: `genres/blues/blues.00000.wav`; the official split is the fault-filtered one of 443/197/290 clips.

The set repeats recordings, distorts some and names no artists (Sturm 2013). The fault-filtered split
(Kereliuk, Sturm, Larsen 2015) leaves the faulty ones out and keeps artists on one side. torchaudio
carries its lists; they are not copied here.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from training.datasets.base import Clip, Reader
from training.errors import DataError

NAME = re.compile(r"([a-z]+)\.(\d{5})\.(?:wav|au|mp3)")
FOLDERS = ("genres", "genres_original", ".")
LISTS = {"training": "filtered_train", "validation": "filtered_valid", "test": "filtered_test"}
BLOCK = 10  # numbers of a label in a row: often one artist


class GtzanReader(Reader):
    """Reads GTZAN as it was published: a folder for each of ten genres.

    Args:
        where: the folder that holds `genres`, or `genres_original`.
        official: give each clip its part of the fault-filtered split; needs torchaudio.
    """

    def __init__(self, where: Path, *, official: bool = True) -> None:
        super().__init__(where)
        self._official = official

    def clips(self) -> Iterator[Clip]:
        """Give the clips that are there, in the order of their names.

        A group is a block of ten numbers, cut where the fault-filtered split cuts it: that split knows the
        artists. A clip that is in none of its lists goes with its neighbour in the block.
        """
        part_of = _official_parts() if self._official else {}
        seen = set()
        for (label, block), numbered in groupby(self._files(), lambda file: (file[0], file[1] // BLOCK)):
            files = [(f"{label}.{number:05}", path) for _, number, path in numbered]
            side = next((part_of[stem] for stem, _ in files if stem in part_of), "")
            for stem, path in files:
                side = part_of.get(stem, side)
                seen.add(stem)
                yield Clip(
                    id=f"{label}/{path.name}",
                    path=path,
                    label=label,
                    group=f"gtzan-{label}-{block}" + (f"-{side}" if side else ""),
                    licence="unknown",
                    split=part_of.get(stem, ""),
                )
        self._note(seen, part_of)

    def _note(self, seen: set[str], part_of: dict[str, str]) -> None:
        self.notes.append(
            "GTZAN names no artists: groups are blocks of ten numbers, and an artist may sit in two of them"
        )
        if not part_of:
            return
        filtered, gone = len(seen - set(part_of)), len(set(part_of) - seen)
        if filtered:
            self.notes.append(f"{filtered} clips are fault-filtered: the official split leaves them out")
        if gone:
            self.notes.append(f"{gone} of the {len(part_of)} clips of the official split are not there")

    def _files(self) -> list[tuple[str, int, Path]]:
        """Give (label, number, file) in order."""
        for root in (self.where / name for name in FOLDERS):
            found = sorted(
                (match[1], int(match[2]), path)
                for path in root.glob("*/*")
                if (match := NAME.fullmatch(path.name)) and match[1] == path.parent.name
            )
            if found:
                return found
        raise DataError(
            f"{self.where}: holds no genres/<label>/<label>.00000.wav",
            remedy="give --gtzan the folder in which 'genres' or 'genres_original' lies",
        )


def _official_parts() -> dict[str, str]:
    """Give the part of each clip (`blues.00000`) of the fault-filtered split."""
    try:
        from torchaudio.datasets import gtzan
    except (ImportError, OSError) as error:  # OSError: its library doesn't fit this torch
        raise DataError(
            f"the lists of GTZAN's official split are torchaudio's, which can't be imported: {error}",
            remedy="install torchaudio, or give --no-official to do without that split",
        ) from error
    return {stem: part for part, name in LISTS.items() for stem in getattr(gtzan, name)}
