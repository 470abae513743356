"""A folder for each label: `DIR/rock/**/*.mp3`; a folder inside it is an artist, or another group."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from training.datasets.base import Clip, Reader
from training.errors import DataError

ENDINGS = frozenset(
    {".aac", ".aif", ".aiff", ".au", ".flac", ".m4a", ".mka", ".mp2", ".mp3", ".mp4"}
    | {".oga", ".ogg", ".opus", ".wav", ".webm", ".wma", ".wv"}
)


class FoldersReader(Reader):
    """Reads a folder for each label; a folder inside it names the artist."""

    def clips(self) -> Iterator[Clip]:
        """Give the audio files in the order of their paths.

        The group is the name of the first folder under the label, so an artist who sits under two labels
        is one group; a file that lies in the label's folder itself is a group of its own.
        """
        passed_over: Counter[str] = Counter()
        alone = 0
        for label, path in self._files():
            if path.suffix.lower() not in ENDINGS:
                passed_over[path.suffix.lower() or path.name] += 1
                continue
            name = path.relative_to(self.where)
            inner = name.parts[1:-1]
            alone += not inner
            yield Clip(
                id=name.as_posix(), path=path, label=label, group=inner[0] if inner else name.as_posix()
            )
        if alone:
            self.notes.append(
                f"the artists of {alone} clips are unknown: each is a group of its own, so a split may have "
                "an artist on both sides and its figures may be too good; "
                "give each artist a folder under the label"
            )
        if passed_over:
            kinds = ", ".join(f"{count} {kind}" for kind, count in passed_over.most_common(5))
            self.notes.append(f"{passed_over.total()} files are no audio by their names: {kinds}")

    def _files(self) -> Iterator[tuple[str, Path]]:
        """Give (label, file) of all files but hidden ones."""
        try:
            folders = sorted(p for p in self.where.iterdir() if p.is_dir() and not p.name.startswith("."))
        except OSError as error:
            raise DataError(
                f"{self.where}: can't be read: {error.strerror}", remedy="give --folders an existing folder"
            ) from error
        if not folders:
            raise DataError(
                f"{self.where}: holds no folder", remedy="make a folder for each label, with its audio inside"
            )
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not any(
                    part.startswith(".") for part in path.relative_to(self.where).parts
                ):
                    yield folder.name, path
