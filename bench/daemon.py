"""The real daemon as a process, its messages and its CPU, for the benchmarks that need one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zmq

TICKS = os.sysconf("SC_CLK_TCK")


class Daemon:
    """A running daemon and a subscriber that was there before it."""

    def __init__(self, process: subprocess.Popen[bytes], socket: zmq.Socket[bytes], started: float) -> None:
        self.process, self.started = process, started
        self._socket = socket

    def message(self, kind: str) -> dict[str, Any]:
        """Wait for the next message of a kind."""
        while True:
            name, payload = self._socket.recv_multipart()
            if name.startswith(kind.encode() + b"/"):
                message: dict[str, Any] = json.loads(payload)
                return message

    def cpu_s(self) -> float:
        """Give the CPU seconds that the process and its children have used so far."""
        return sum(_cpu_s(pid) for pid in (self.process.pid, *_children(self.process.pid)))


@contextmanager
def daemon(*args: str) -> Iterator[Daemon]:
    """Run `genrecast run` with these arguments on a socket of its own."""
    with TemporaryDirectory() as folder, zmq.Context() as context, context.socket(zmq.SUB) as socket:
        endpoint = f"ipc://{Path(folder) / 'bus'}"
        socket.setsockopt(zmq.RECONNECT_IVL, 5)  # the subscriber's patience is not what is measured
        socket.setsockopt(zmq.RCVTIMEO, 30_000)
        socket.subscribe("")
        socket.connect(endpoint)
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "streamer.cli", "run", "--quiet", "--bind", endpoint, *args]
        )
        try:
            yield Daemon(process, socket, started)
        finally:
            process.terminate()
            process.wait(10)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
