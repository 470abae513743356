"""A part's three tables as Parquet: its files, their segments, and those that could not be tagged.

The same answers give the same bytes. Probabilities are a struct of a float32 for each label, so
that one label's are a column of their own in the file, `probabilities.jazz` in SQL.
"""

from collections import defaultdict

import msgspec
import pyarrow as pa

from streamer.archive.place import Place
from streamer.archive.plan import KEY, Tags
from streamer.archive.rows import columns, encode
from streamer.archive.wire import Answer, Failed, Segment, Tagged


class Tables:
    """Makes the tables, and reads them.

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
            "errors": encode(errors, self._errors),
            "segments": encode(segments, self._segments),
            "files": encode(files, self._files),
        }

    def read(self, place: Place, name: str) -> dict[str, Tagged]:
        """Give the answers that a part's tables were made from, by path, but for those that failed.

        They give the same rows again, to the bit.

        Raises:
            ArchiveError: the tables can't be read, or are damaged.
        """
        said = ["path", "state", "genre", "confidence", "probabilities"]
        segments: defaultdict[str, list[Segment]] = defaultdict(list)
        for start_s, end_s, path, state, genre, confidence, named in zip(
            *columns(place, "segments", name, ["start_s", "end_s", *said]), strict=True
        ):
            segments[path].append(Segment(start_s, end_s, state, genre, confidence, self._listed(named)))
        return {
            path: Tagged(state, genre, confidence, self._listed(named), seconds, segments[path])
            for seconds, path, state, genre, confidence, named in zip(
                *columns(place, "files", name, ["seconds", *said]), strict=True
            )
        }

    def _listed(self, probabilities: dict[str, float] | None) -> list[float] | None:
        return None if probabilities is None else [probabilities[label] for label in self._labels]

    def _named(self, probabilities: list[float] | None) -> dict[str, float] | None:
        return None if probabilities is None else dict(zip(self._labels, probabilities, strict=True))
