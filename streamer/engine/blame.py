"""Who it was: a worker notes in shared memory which station it works for, and that it still lives.

When a worker dies in a decoder, or never comes back from one, nothing inside it can say why.
The memory outlives it.
"""

import mmap
import tempfile
import types
from collections.abc import Coroutine, Generator
from typing import IO, Any, TypeVar

Result = TypeVar("Result")

_SIZE = 8  # two 32-bit numbers: the station at work, beats so far


class Blame:
    """The shared note. The daemon makes one for each worker and hands over its descriptor.

    Args:
        descriptor: of a note that another process made; None makes one.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._file: IO[bytes] | None = None
        if descriptor is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the note
            self._file.truncate(_SIZE)
            descriptor = self._file.fileno()
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _SIZE)
        self._cells = memoryview(self._memory).cast("I")

    @property
    def station(self) -> int | None:
        """The number of the station at work."""
        return self._cells[0] - 1 if self._cells[0] else None

    @property
    def beats(self) -> int:
        """How often `beat` was called, so far."""
        return self._cells[1]

    def beat(self) -> None:
        """Note that the worker comes round."""
        self._cells[1] = (self._cells[1] + 1) & 0xFFFF_FFFF

    def close(self) -> None:
        """Let go of the memory."""
        self._cells.release()
        self._memory.close()
        if self._file is not None:
            self._file.close()

    @types.coroutine
    def marked(self, work: Coroutine[Any, Any, Result], station: int) -> Generator[Any, Any, Result]:
        """Run a coroutine; while it is it that runs, the note names the station."""
        cells, mark = self._cells, station + 1
        step, value = work.send, None
        while True:
            cells[0] = mark
            try:
                awaited = step(value)
            except StopIteration as end:
                result: Result = end.value
                return result
            finally:
                cells[0] = 0
            try:
                step, value = work.send, (yield awaited)
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:  # noqa: BLE001 - cancellation and all else belong to the work
                step, value = work.throw, error
