"""Rows for programs: JSON, CSV and Parquet, all times in UTC, never more than a day in memory."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from streamer.errors import MissingExtraError
from streamer.history.files import replace
from streamer.history.rows import DAY_S, HourShare, Segment, TrackRow
from streamer.history.store import Store
from streamer.text import json_line, printable

Kind = Literal["segments", "tracks", "hours"]
Row: TypeAlias = Segment | TrackRow | HourShare

TYPES: dict[Kind, type[Segment] | type[TrackRow] | type[HourShare]] = {
    "segments": Segment,
    "tracks": TrackRow,
    "hours": HourShare,
}
TIMES = frozenset({"start", "end", "hour"})
FORMULA = ("=", "+", "-", "@")  # a cell that begins so is run by spreadsheets, whoever wrote it
BATCH = 50_000  # rows that Parquet is given at once


def rows(
    store: Store,
    kind: Kind,
    *,
    since: float,
    until: float,
    station: str | None = None,
    genre: str | None = None,
) -> Iterator[Row]:
    """Give what lies between two moments, a day at a time."""
    start = since = max(since, 0.0)
    while start < until:
        end = min(start + DAY_S, until)
        for row in _asked(store, kind, station, start, end, genre):
            if start == since or _begin(row) >= start:  # else the day before has given it
                yield row
        start = end


def as_json(row: Row) -> str:
    """Give a row as an object on one line."""
    return json_line(_fields(row))


def as_csv(kind: Kind, given: Iterator[Row]) -> Iterator[str]:
    """Give lines, the first with the names of the columns; a formula is made text by a `'` before it."""
    line = io.StringIO()
    write = csv.writer(line, lineterminator="").writerow
    write(TYPES[kind].__struct_fields__)
    yield line.getvalue()
    for row in given:
        line.seek(line.truncate(0))
        write([_harmless(value) for value in _fields(row).values()])
        yield line.getvalue()


def write_parquet(kind: Kind, given: Iterator[Row], path: Path) -> int:
    """Write rows into a file, which is there when it is whole; give how many there were.

    Raises:
        MissingExtraError: pyarrow is not installed.
        HistoryDiskError: the file can't be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise MissingExtraError("--parquet", "parquet") from error
    schema = pa.schema([(name, _parquet_type(name, pa)) for name in TYPES[kind].__struct_fields__])
    count = 0
    with replace(path) as part, parquet.ParquetWriter(part, schema, compression="zstd") as writer:
        for batch in _batches(given):
            values = [_fields(row, time=lambda moment: round(moment * 1000)) for row in batch]
            writer.write_table(pa.Table.from_pylist(values, schema))
            count += len(batch)
    return count


def utc(moment: float) -> str:
    """Give seconds since the epoch as RFC 3339 with ms, as messages do (their module needs numpy)."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def _asked(
    store: Store, kind: Kind, station: str | None, since: float, until: float, genre: str | None
) -> list[Any]:
    if kind == "segments":
        return store.segments(station=station, since=since, until=until, genre=genre)
    if kind == "tracks":
        return store.tracks(station=station, since=since, until=until, genre=genre)
    hours = store.hours(station=station, since=since, until=until)
    return [hour for hour in hours if genre in (None, hour.what)]


def _begin(row: Row) -> float:
    return row.hour if isinstance(row, HourShare) else row.start


def _fields(row: Row, time: Callable[[float], Any] = utc) -> dict[str, Any]:
    fields = msgspec.structs.asdict(row)
    return {name: time(value) if name in TIMES else _rounded(value) for name, value in fields.items()}


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return f"'{printable(value)}" if value.startswith(FORMULA) else printable(value)


def _batches(given: Iterator[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in given:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _parquet_type(name: str, pa: Any) -> Any:
    if name in TIMES:
        return pa.timestamp("ms", tz="UTC")
    return pa.float64() if name in ("confidence", "seconds") else pa.string()
