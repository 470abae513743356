"""What a store asks of a database, whichever it is."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = tuple[Any, ...]
Execute: TypeAlias = Callable[[str, Sequence[Any]], int]
"""Runs a statement and gives how many rows it changed."""


class Database(Protocol):
    """SQL with `?` for values. Everything that goes wrong is a `HistoryError`."""

    def read(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Give the rows of a query."""

    def writing(self) -> AbstractContextManager[Execute]:
        """Give what runs statements of which all are kept, or none."""

    def size_mb(self) -> float | None:
        """Give what the rows take in 10^6 bytes; None where that is not ours to know."""

    def tidy(self) -> None:
        """Give back a part of what deleted rows have left, so small that nobody waits."""

    def close(self) -> None:
        """Let go of it."""
