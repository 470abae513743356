"""A CSV file with one clip a row: `path,label,group` and whatever else it likes to say."""

import csv
from collections.abc import Iterator
from pathlib import Path

from training.datasets.base import Clip, Reader
from training.errors import DataError

REQUIRED = ("path", "label", "group")


class ManifestReader(Reader):
    """Reads a manifest; paths are relative to its folder, columns other than `licence` are passed over."""

    def clips(self) -> Iterator[Clip]:
        """Give the clips in the order of the rows."""
        seen: dict[str, int] = {}
        try:
            with self.where.open(newline="", encoding="utf-8-sig") as file:
                rows = csv.DictReader(file)
                self._check_header(rows.fieldnames or [])
                for row in rows:
                    yield self._clip(row, rows.line_num, seen)
        except OSError as error:
            raise DataError(
                f"{self.where}: can't be read: {error.strerror}",
                remedy="give --manifest an existing CSV file",
            ) from error
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(
                f"{self.where}: no CSV in UTF-8: {error}", remedy="save the manifest as CSV, encoding UTF-8"
            ) from error

    def _check_header(self, names: list[str] | tuple[str, ...]) -> None:
        missing = [name for name in REQUIRED if name not in names]
        if missing:
            raise DataError(
                f"{self.where}: column '{missing[0]}' is missing from its first line",
                remedy=f"the first line must name at least {','.join(REQUIRED)}",
            )

    def _clip(self, row: dict[str, str], line: int, seen: dict[str, int]) -> Clip:
        empty = [name for name in REQUIRED if not (row[name] or "").strip()]
        if empty:
            raise DataError(
                f"{self.where}: line {line} has no '{empty[0]}'", remedy="fill it in or remove the line"
            )
        name = row["path"]
        if name in seen:
            raise DataError(
                f"{self.where}: line {line} repeats '{name}' of line {seen[name]}",
                remedy="remove one of the two",
            )
        seen[name] = line
        return Clip(
            id=name,
            path=Path(self.where).parent / name,
            label=row["label"].strip(),
            group=row["group"].strip(),
            licence=(row.get("licence") or "").strip(),
        )
