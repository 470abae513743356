"""Rows as Parquet, in memory and back: the same rows give the same bytes."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from streamer.archive.place import Place
from streamer.errors import ArchiveError


def encode(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> bytes:
    """Give a Parquet file that holds rows, the fields of each in the schema's order."""
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    data = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), data, compression="zstd")
    return data.getvalue()


def decode(data: bytes) -> pa.Table:
    """Give what a Parquet file holds.

    Raises:
        pyarrow.ArrowException: it is none.
    """
    return parquet.read_table(pa.BufferReader(data))


def columns(place: Place, folder: str, name: str, wanted: Sequence[str]) -> list[list[Any]]:
    """Give columns of one of a part's tables.

    Raises:
        ArchiveError: it can't be read, or is damaged.
    """
    data = place.read(f"{folder}/{name}")
    try:
        table = decode(data)
        return [table[column].to_pylist() for column in wanted]
    except (pa.ArrowException, KeyError) as error:
        raise ArchiveError(
            f"{place.out}/{folder}/{name}: no table of an archive",
            remedy=f"delete {place.out}/files/{name}: then the same command makes the part anew",
        ) from error
