"""An attendant in the process that the daemon would give it, and what it says of itself."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from streamer.attend import Order
from streamer.config import Config

ROOT = Path(__file__).parents[1]
PATIENCE_S = 20.0


class Attended:
    """An attendant's process; what it says is read as it comes."""

    def __init__(self, name: str, config: Config, endpoint: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamer.attend", name],
            cwd=ROOT,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.said: list[tuple[str | None, str]] = []
        self._news: queue.Queue[tuple[str | None, str] | None] = queue.Queue()
        assert self.process.stdin is not None
        self.process.stdin.write(msgspec.json.encode(Order(endpoint, config)) + b"\n")
        self.process.stdin.flush()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def says(self, holds: Callable[[str | None, str], bool]) -> str:
        """Wait until it says what holds; give the sentence."""
        while True:
            try:
                news = self._news.get(timeout=PATIENCE_S)
            except queue.Empty:
                news = None
            if news is None:
                pytest.fail(f"it never said so, but: {self.said[-8:]}")
            self.said.append(news)
            if holds(*news):
                return news[1]

    def trouble(self, code: str, words: str = "") -> str:
        return self.says(lambda c, detail: c == code and words in detail)

    def well(self, words: str = "") -> str:
        return self.says(lambda c, detail: c is None and words in detail)

    def end(self) -> str:
        """Ask it to end as the daemon does; give what it wrote to its log."""
        self.process.terminate()
        _, errors = self.process.communicate(timeout=10)
        return errors.decode()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            if line.strip():
                said = json.loads(line)
                self._news.put((said["code"], said["detail"]))
        self._news.put(None)


@contextmanager
def attending(
    name: str, config: Config, endpoint: str, env: dict[str, str] | None = None
) -> Iterator[Attended]:
    """Run an attendant as long as the context lasts; it must end cleanly when asked to."""
    attended = Attended(name, config, endpoint, env)
    try:
        yield attended
        if attended.process.poll() is None:
            errors = attended.end()
            assert attended.process.returncode == 0, errors
            assert "Traceback" not in errors
    finally:
        attended.process.kill()
        attended.process.wait()
        for pipe in (attended.process.stdin, attended.process.stdout, attended.process.stderr):
            pipe.close()
