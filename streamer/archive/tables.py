"""A part's three tables as Parquet: its files, their segments, and those that could not be tagged.

The same answers give the same bytes. Probabilities are a struct of a float32 for each label, so
that one label's are a column of their own in the file, `probabilities.jazz` in SQL.
"""

import io
from typing import Any

import msgspec
import pyarrow as pa
from pyarrow import parquet

from streamer.archive.plan import KEY, Tags
from streamer.archive.wire import Answer, Failed, Tagged


class Tables:
    """Makes the tables.

    Args:
        tags: what the archive is tagged with.
    """

    def __init__(self, tags: Tags) -> None:
        labels = pa.struct([(label, pa.float32()) for label in tags.labels])
        said = [("state", pa.string()), ("genre", pa.string()), ("confidence", pa.float32())]
        metadata = {KEY: msgspec.json.encode(tags)}
        span = [("segment", pa.int32()), ("start_s", pa.float64()), ("end_s", pa.float64())]
        path, probabilities = ("path", pa.string()), ("probabilities", labels)
        self._labels = tags.labels
        self._files = pa.schema([path, ("seconds", pa.float64()), *said, probabilities], metadata)
        self._segments = pa.schema([path, *span, *said, probabilities], metadata)
        self._errors = pa.schema([path, ("code", pa.string()), ("message", pa.string())], metadata)

    def encode(self, answers: list[tuple[str, Answer]]) -> dict[str, bytes]:
        """Give the bytes of each table, those of `files` last: a part whose `files` is there is done.

        Args:
            answers: with the path of each.
        """
        tagged = [(path, answer) for path, answer in answers if isinstance(answer, Tagged)]
        files = [
            (path, file.seconds, file.state, file.genre, file.confidence, self._named(file.probabilities))
            for path, file in tagged
        ]
        segments = [
            (path, number, s.start_s, s.end_s, s.state, s.genre, s.confidence, self._named(s.probabilities))
            for path, file in tagged
            for number, s in enumerate(file.segments)
        ]
        errors = [
            (path, answer.code, answer.message) for path, answer in answers if isinstance(answer, Failed)
        ]
        return {
            "errors": _parquet(errors, self._errors),
            "segments": _parquet(segments, self._segments),
            "files": _parquet(files, self._files),
        }

    def _named(self, probabilities: list[float] | None) -> dict[str, float] | None:
        return None if probabilities is None else dict(zip(self._labels, probabilities, strict=True))


def _parquet(rows: list[tuple[Any, ...]], schema: pa.Schema) -> bytes:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    data = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), data, compression="zstd")
    return data.getvalue()
