"""A run over an archive: its parts, one after another in each of some processes."""

import queue
import threading
from collections.abc import Generator, Sequence

import msgspec

from streamer.archive.place import Place
from streamer.archive.plan import Part, Tags, file_name
from streamer.archive.tables import Tables
from streamer.archive.tagger import QUIET_S, StoppedError, Tagger
from streamer.archive.wire import Answer, Tagged
from streamer.text import path_text


class Work(msgspec.Struct, frozen=True):
    """What all parts of a run have in common.

    Attributes:
        out: where the tables go.
        model: the model file's bytes.
        name: of that file, for messages.
        tags: what the archive is tagged with.
    """

    out: str
    model: bytes
    name: str
    tags: Tags


class Done(msgspec.Struct, tag=True, frozen=True, array_like=True):
    """A part that is done.

    Attributes:
        part: its number.
        files: in it, those that failed too.
        errors: files that failed.
        audio_s: seconds of audio in the others.
        size: bytes of its files.
    """

    part: int
    files: int
    errors: int
    audio_s: float
    size: int


class Slot:
    """One process that tags parts.

    Args:
        work: what to do.
        quiet_s: see `Tagger`.
    """

    def __init__(self, work: Work, *, quiet_s: float = QUIET_S) -> None:
        self._place, self._tables = Place(work.out), Tables(work.tags)
        self._tagger = Tagger(work.model, work.name, quiet_s=quiet_s)
        self.stop, self.close = self._tagger.stop, self._tagger.close

    def run(self, part: Part) -> Done:
        """Tag a part and write its tables; until the last is written it is not done.

        Raises:
            ArchiveError: they can't be written.
            WorkerError: no process can begin.
            GenrecastError: what is wrong with all files.
            StoppedError: `stop` was called.
        """
        paths = [each.path for each in part.media]
        answers: list[tuple[str, Answer]] = [
            (path_text(path), answer) for path, answer in zip(paths, self._tagger.tag(paths), strict=True)
        ]
        for table, data in self._tables.encode(answers).items():
            self._place.write(f"{table}/{file_name(part.number)}", data)
        tagged = [answer for _, answer in answers if isinstance(answer, Tagged)]
        audio_s = sum(answer.seconds for answer in tagged)
        return Done(part.number, len(answers), len(answers) - len(tagged), audio_s, part.size)


def run_here(work: Work, parts: Sequence[Part], jobs: int) -> Generator[Done, None, None]:
    """Tag parts in so many processes of this machine; give each part as it is done.

    Closing the iterator ends the processes at once.

    Raises:
        GenrecastError: as of `Slot.run`.
    """
    todo: queue.SimpleQueue[Part] = queue.SimpleQueue()
    for part in parts:
        todo.put(part)
    results: queue.SimpleQueue[Done | Exception] = queue.SimpleQueue()
    slots = [Slot(work) for _ in range(min(jobs, len(parts)))]
    threads = [threading.Thread(target=_run_all, args=(slot, todo, results)) for slot in slots]
    for thread in threads:
        thread.start()
    try:
        for _ in parts:
            result = results.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        for slot in slots:
            slot.stop()
        for thread in threads:
            thread.join()


def _run_all(
    slot: Slot, todo: "queue.SimpleQueue[Part]", results: "queue.SimpleQueue[Done | Exception]"
) -> None:
    """Run parts until none is left."""
    try:
        while True:
            results.put(slot.run(todo.get_nowait()))
    except (queue.Empty, StoppedError):
        pass
    except Exception as error:  # noqa: BLE001 - it is raised where the results are taken
        results.put(error)
    finally:
        slot.close()
