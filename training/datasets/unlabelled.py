"""Music without labels: a text file that names one audio file a line."""

from collections.abc import Iterator
from pathlib import Path

from training.datasets.base import Clip, Reader
from training.errors import DataError


class UnlabelledReader(Reader):
    """Reads a list of audio files; paths are relative to its folder. Label and group stay empty."""

    def clips(self) -> Iterator[Clip]:
        """Give the files in the order of the lines; empty lines and those after `#` are passed over."""
        try:
            lines = self.where.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{self.where}: can't be read: {error}", remedy="give a text file of paths"
            ) from error
        for line in lines:
            if line.strip() and not line.startswith("#"):
                yield Clip(id=line.strip(), path=Path(self.where).parent / line.strip(), label="", group="")
