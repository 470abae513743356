"""What a service manager is told, on a real socket: ready, reloading, alive, stopping."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.audio_files import sound, write
from tests.system.running import ROOT
from tests.tiny_model import model_bytes

pytestmark = pytest.mark.system


class Manager:
    """A service manager: a datagram socket, and what came on it.

    Args:
        address: of the socket, a path or an abstract name that begins with `@`.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0"))
        self.told: list[list[str]] = []

    def until(self, line: str, seconds: float = 20.0) -> str:
        """Wait for a line that begins so; give what follows in it."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for told in self._take(left):
                if told.startswith(line):
                    return told.removeprefix(line)
        pytest.fail(f"no {line} within {seconds:g} s; the last messages: {self.told[-5:]}")

    def count(self, line: str, seconds: float) -> int:
        """Give how often such a line comes in so long."""
        before, end = len(self.told), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._take(left)
        return sum(line in told for told in self.told[before:])

    def _take(self, seconds: float) -> list[str]:
        self._socket.settimeout(seconds)
        try:
            lines = self._socket.recv(4096).decode().splitlines()
        except TimeoutError:
            return []
        self.told.append(lines)
        return lines

    def close(self) -> None:
        self._socket.close()


@contextmanager
def service(
    folder: Path, address: str, *, model: bytes | None = None, **env: str
) -> Iterator[tuple[Manager, "subprocess.Popen[bytes]"]]:
    """Run the daemon as a service manager does, over one station."""
    (folder / "tiny.onnx").write_bytes(model_bytes() if model is None else model)
    tone = write(folder / "tone.wav", sound(60))
    (folder / "c.toml").write_text(
        f"bind = 'ipc://{folder}/bus'\nmodel = 'tiny.onnx'\n"
        f"[[station]]\nid = 'a'\nsource = 'file:{tone}?pace=live'\n"
    )
    manager = Manager(address)
    process = subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", "run", "--config", str(folder / "c.toml")],
        env={**os.environ, "NOTIFY_SOCKET": address, "RUNTIME_DIRECTORY": str(folder / "run"), **env},
        cwd=ROOT,
    )
    try:
        yield manager, process
    finally:
        process.kill()
        process.wait()
        manager.close()


def worker_of(process: "subprocess.Popen[bytes]") -> int:
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])


def test_ready_status_reload_and_stop_are_told_in_this_order_and_by_the_daemon_alone(tmp_path):
    with service(tmp_path, str(tmp_path / "notify")) as (manager, process):
        manager.until("READY=1")
        status = manager.until("STATUS=")
        inherited = Path(f"/proc/{worker_of(process)}/environ").read_bytes()
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        process.send_signal(signal.SIGHUP)
        manager.until("RELOADING=1")
        moment = int(manager.told[-1][1].removeprefix("MONOTONIC_USEC="))
        manager.until("READY=1")
        process.terminate()
        manager.until("STOPPING=1")
        process.wait(5)

    assert status.startswith("1 station(s): 1 ")
    assert b"NOTIFY_SOCKET" not in inherited
    assert before <= moment <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert process.returncode == 0
    assert ["WATCHDOG=1"] not in manager.told


def test_a_watchdog_is_fed_while_workers_make_progress_and_not_while_none_does(tmp_path):
    name = f"@genrecast-test-{os.getpid()}"
    with service(tmp_path, name, WATCHDOG_USEC="4000000") as (manager, process):
        manager.until("WATCHDOG=1")
        worker = worker_of(process)
        os.kill(worker, signal.SIGSTOP)
        manager.count("WATCHDOG=1", 1.5)  # what it had said before
        stopped = manager.count("WATCHDOG=1", 2.5)
        os.kill(worker, signal.SIGCONT)
        manager.until("WATCHDOG=1")

    assert stopped == 0


def test_a_daemon_that_cannot_begin_is_never_ready(tmp_path):
    with service(tmp_path, str(tmp_path / "notify"), model=b"") as (manager, process):
        manager.until("STOPPING=1")
        process.wait(20)

    assert manager.told == [["STOPPING=1"]]
    assert process.returncode == 4
