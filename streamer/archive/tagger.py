"""A process that tags files, and who starts it again when a file brings it down."""

import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

import msgspec

from streamer.archive.wire import Answer, Begin, Failed, Files, FromTagging, Ready, ToTagging, encode
from streamer.engine.launch import ENVIRONMENT
from streamer.engine.process import sheltered
from streamer.engine.wire import Failure, as_error
from streamer.errors import WorkerError
from streamer.text import path_text

QUIET_S = 300.0  # without a beat; a minute or two of audio are a fraction of a second, a block of a store too
DEATHS = 2  # with the same file at work: once may be the memory that another process took
BEGINNINGS = 3  # that may fail before a file is at work


class StoppedError(Exception):
    """The tagger was stopped by another thread."""


class Tagger:
    """Tags files in a child process.

    Args:
        model: the model file's bytes.
        name: of that file, for messages.
        quiet_s: after which a child without a beat is taken for hung.
    """

    def __init__(self, model: bytes, name: str, *, quiet_s: float = QUIET_S) -> None:
        self._begin, self._quiet_s = Begin(model, name), quiet_s
        self._child: _Child | None = None
        self._stopped = False

    def tag(self, paths: Sequence[bytes]) -> Iterator[Answer]:
        """Give an answer for each file, in their order.

        A file that was at work at two deaths of the child fails with `worker`.

        Raises:
            WorkerError: no child can begin.
            GenrecastError: what is wrong with all files.
            StoppedError: `stop` was called.
        """
        at = deaths = 0
        child: _Child | None = None  # that was told of these files
        while at < len(paths):
            try:
                if child is None:
                    child = self._alive()
                    child.send(Files(list(paths[at:])))
                answer = child.answer()
            except _DiedError as died:
                child = self._child = None
                path, deaths = path_text(paths[at]), deaths + 1
                if not self._stopped:
                    logging.warning("%s: %s", path, died)
                if deaths < DEATHS:
                    continue
                answer = Failed("worker", f"{path}: the process that tagged it {died}, {DEATHS} times")
            at, deaths = at + 1, 0
            yield answer

    def stop(self) -> None:
        """End the child at once, whatever it is at; from any thread."""
        self._stopped = True
        if child := self._child:
            child.process.kill()

    def close(self) -> None:
        """End the child."""
        if self._child:
            self._child.end()
            self._child = None

    def _alive(self) -> "_Child":
        """Give the child, a new one where there is none that lives."""
        for left in reversed(range(BEGINNINGS)):
            if self._stopped:
                raise StoppedError
            if self._child is not None and self._child.process.poll() is None:
                return self._child
            self.close()
            self._child = _Child(self._quiet_s)
            if self._stopped:  # while it was begun
                self.close()
                raise StoppedError
            try:
                self._child.begin(self._begin)
            except _DiedError as died:
                self._child = None
                if not left:
                    raise WorkerError(
                        f"the process that tags {died} before it could begin", remedy="look at its log"
                    ) from died
        assert self._child is not None
        return self._child


class _DiedError(Exception):
    """The child has gone: the end of a sentence that says how."""


class _Child:
    """One process, from its start to its end."""

    def __init__(self, quiet_s: float) -> None:
        self._quiet_s = quiet_s
        self._decode = msgspec.msgpack.Decoder(FromTagging).decode
        # The child makes it when it fetches its first object: whatever else is killed leaves nothing.
        self._folder = f"{tempfile.gettempdir()}/genrecast-{secrets.token_hex(8)}"
        ours, theirs = socket.socketpair()
        with theirs, sheltered():
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamer.archive.child", str(theirs.fileno()), self._folder],
                env={**ENVIRONMENT, **os.environ},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        self._connection = Connection(ours.detach())

    def begin(self, begin: Begin) -> None:
        """Have it load the model."""
        self.send(begin)
        ready = self._receive()
        assert isinstance(ready, Ready)

    def send(self, what: ToTagging) -> None:
        try:
            self._connection.send_bytes(encode(what))
        except OSError as error:
            raise self._died() from error

    def answer(self) -> Answer:
        answer = self._receive()
        assert not isinstance(answer, Ready)
        return answer

    def end(self) -> None:
        self._connection.close()
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _receive(self) -> Ready | Answer:
        try:
            while self._connection.poll(self._quiet_s):
                if data := self._connection.recv_bytes():
                    said: Ready | Answer | Failure = self._decode(data)
                    if isinstance(said, Failure):
                        self.end()
                        raise as_error(said)
                    return said
        except (EOFError, OSError) as error:
            raise self._died() from error
        self.end()
        raise _DiedError(f"did not come round for {self._quiet_s:g} s")

    def _died(self) -> _DiedError:
        """Give how it died, which its closed socket has told."""
        try:
            status = self.process.wait(self._quiet_s)
        except subprocess.TimeoutExpired:
            status = None
        self.end()
        if status is None:
            return _DiedError("did not come round")
        if status < 0:
            return _DiedError(f"was ended by {signal.Signals(-status).name}")
        return _DiedError(f"ended with status {status}")
