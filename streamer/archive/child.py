"""The process that tags an archive's files: `python -m streamer.archive.child DESCRIPTOR FOLDER`.

Its parent (`streamer.archive.tagger`) sends lists of files over a socket and gets an answer for each, in
order. It ends with its parent, however that ended.
"""

import contextlib
import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from streamer.archive.fetch import drop, fetch
from streamer.archive.listing import is_url
from streamer.archive.wire import (
    Answer,
    Begin,
    Failed,
    Files,
    FromTagging,
    Ready,
    Segment,
    Tagged,
    ToTagging,
    encode,
)
from streamer.engine.classify import Classification, classify_file
from streamer.engine.wire import failure_of
from streamer.errors import GenrecastError, SourceError
from streamer.flow import Probabilities
from streamer.model.session import Model
from streamer.text import path_text


class Link:
    """The way to the parent, for any thread; when the parent has gone, the process ends at once.

    Args:
        connection: the socket.
        folder: for copies of objects; it goes when the parent has gone, who takes it away else.
    """

    def __init__(self, connection: Connection, folder: str) -> None:
        self._connection, self._folder = connection, folder
        self._orders: queue.SimpleQueue[Begin | Files] = queue.SimpleQueue()
        self._sending = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def order(self) -> Begin | Files:
        """Wait for what comes next."""
        return self._orders.get()

    def send(self, what: FromTagging) -> None:
        """Send."""
        self._send(encode(what))

    def beat(self) -> None:
        """Show that the work goes on."""
        self._send(b"")

    def _send(self, data: bytes) -> None:
        with self._sending, contextlib.suppress(OSError):  # the parent has gone: the other thread ends us
            self._connection.send_bytes(data)

    def _read(self) -> None:
        decode = msgspec.msgpack.Decoder(ToTagging).decode
        try:
            while True:
                self._orders.put(decode(self._connection.recv_bytes()))
        except (EOFError, OSError):
            shutil.rmtree(self._folder, ignore_errors=True)
            os._exit(0)  # whatever a decoder is at


def main(descriptor: int, folder: str) -> None:
    """Tag what the parent names, until it has gone or something is wrong with all files."""
    link = Link(Connection(descriptor), folder)
    try:
        begin = link.order()
        assert isinstance(begin, Begin)
        model = Model(begin.model, name=begin.name, provider="cpu")
        link.send(Ready())
        while True:
            files = link.order()
            assert isinstance(files, Files)
            for path, copy in _at_hand(files.paths, Path(folder), link.beat):
                link.send(_answer(path, copy, model, link.beat))
    except GenrecastError as error:
        link.send(failure_of(error))


def _at_hand(
    paths: Sequence[bytes], folder: Path, beat: Callable[[], None]
) -> Iterator[tuple[bytes, "Future[Path]"]]:
    """Give each file with its path on this machine; the next object is fetched while one is tagged."""

    def here(path: bytes) -> Path:
        name = os.fsdecode(path)
        return fetch(name, folder, beat) if is_url(name) else Path(name)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(here, paths[0])
        for path, following in zip(paths, [*paths[1:], None], strict=True):
            copy = coming
            if following is not None:
                coming = pool.submit(here, following)
            yield path, copy


def _answer(path: bytes, copy: "Future[Path]", model: Model, beat: Callable[[], None]) -> Answer:
    try:
        try:
            return _tagged(classify_file(copy.result(), model, beat))
        finally:
            if is_url(os.fsdecode(path)) and not copy.exception():
                drop(copy.result())
    except SourceError as error:
        return Failed(error.code, _said(error.message, path, copy))
    except GenrecastError:
        raise
    except Exception as error:  # noqa: BLE001 - a fault of ours with one file is no reason to lose the others
        message = f"{path_text(path)}: {type(error).__name__}: {error}"
        return Failed("internal", _said(message, path, copy))


def _said(message: str, path: bytes, copy: "Future[Path]") -> str:
    """Give what is said of a file; of a copy's path nobody knows, and it is another one each time."""
    if not copy.exception():
        message = message.replace(str(copy.result()), os.fsdecode(path))
    return path_text(message)


def _tagged(what: Classification) -> Tagged:
    segments = [
        Segment(s.start_s, s.end_s, s.state, s.genre, s.confidence, _listed(s.probabilities))
        for s in what.segments
    ]
    probabilities = _listed(what.probabilities)
    return Tagged(what.state, what.genre, what.confidence, probabilities, what.seconds, segments)


def _listed(probabilities: Probabilities | None) -> list[float] | None:
    return None if probabilities is None else probabilities.tolist()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
