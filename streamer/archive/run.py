"""A run over an archive: its parts, one after another in each of some processes."""

import queue
import threading
from collections import Counter
from collections.abc import Generator, Sequence

import msgspec

from streamer.archive.again import forget_one
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
        files: that were tagged, or failed.
        errors: files that failed.
        mended: files that had failed before and are tagged now.
        audio_s: seconds of audio in those that are tagged.
        size: bytes of all these files.
    """

    part: int
    files: int
    errors: int
    mended: int
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

        Where files of it are tagged again, the rows of the others stay.

        Raises:
            ArchiveError: they can't be written.
            WorkerError: no process can begin.
            GenrecastError: what is wrong with all files.
            StoppedError: `stop` was called.
        """
        kept = self._kept(part)
        tried = [each.path for each in part.media if each.path not in kept]
        answers = dict(zip(tried, self._tagger.tag(tried), strict=True))
        all_of_it = answers | kept
        rows = [(path_text(each.path), all_of_it[each.path]) for each in part.media]
        for table, data in self._tables.encode(rows).items():
            self._place.write(f"{table}/{file_name(part.number)}", data)
        if part.failed or part.changed:
            forget_one(self._place, part)
        tagged = {path: answer for path, answer in answers.items() if isinstance(answer, Tagged)}
        return Done(
            part.number,
            files=len(answers),
            errors=len(answers) - len(tagged),
            mended=len(tagged.keys() & part.failed),
            audio_s=sum(answer.seconds for answer in tagged.values()),
            size=part.size,
        )

    def _kept(self, part: Part) -> dict[bytes, Answer]:
        """Give what is known of a part's files and stays."""
        left = {each.path for each in part.media} - {each.path for each in part.tried}
        if not left:
            return {}
        # Two names that are no UTF-8 may be the same text: whose row it is isn't known then.
        times = Counter(path_text(each.path) for each in part.media)
        rows = self._tables.read(self._place, file_name(part.number))
        texts = {path: path_text(path) for path in left}
        return {path: rows[text] for path, text in texts.items() if text in rows and times[text] == 1}


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
