"""The real daemon as a process tree, its messages, CPU and memory, for the benchmarks that need one."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import zmq

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
STOP_S = 20.0  # a daemon of many stations that can't keep up may take its time to end


class Daemon:
    """A running daemon and a subscriber that was there before it.

    Attributes:
        process: the daemon; it may have processes of its own.
        socket: the subscriber's, of all topics.
        started: when it was started (`time.perf_counter`).
    """

    def __init__(self, process: subprocess.Popen[bytes], socket: zmq.Socket[bytes], started: float) -> None:
        self.process, self.socket, self.started = process, socket, started

    def message(self, kind: str) -> dict[str, Any]:
        """Wait for the next message of a kind."""
        while True:
            name, payload = self.socket.recv_multipart()
            if name.startswith(kind.encode() + b"/"):
                message: dict[str, Any] = json.loads(payload)
                return message

    def cpu_s(self) -> float:
        """Give the CPU seconds that the whole tree has used so far, ended processes included."""
        return sum(cpu_s(pid) for pid in tree(self.process.pid))

    def memory_mb(self) -> tuple[float, float]:
        """Give the MiB of the whole tree: resident (what is shared counts for each), and proportional."""
        rss_kb = pss_kb = 0
        for pid in tree(self.process.pid):
            rss, pss = memory_kb(pid)
            rss_kb, pss_kb = rss_kb + rss, pss_kb + pss
        return rss_kb / 1024, pss_kb / 1024


@contextmanager
def daemon(*args: str) -> Iterator[Daemon]:
    """Run `genrecast run` with these arguments on a socket of its own."""
    with TemporaryDirectory() as folder, zmq.Context() as context, context.socket(zmq.SUB) as socket:
        endpoint = f"ipc://{Path(folder) / 'bus'}"
        socket.setsockopt(zmq.RECONNECT_IVL, 5)  # the subscriber's patience is not what is measured
        socket.setsockopt(zmq.RCVTIMEO, 30_000)
        socket.setsockopt(zmq.RCVHWM, 0)  # nor is its speed
        socket.setsockopt(zmq.LINGER, 0)
        socket.subscribe("")
        socket.connect(endpoint)
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "streamer.cli", "run", "--quiet", "--bind", endpoint, *args], cwd=ROOT
        )
        try:
            yield Daemon(process, socket, started)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                for pid in reversed(tree(process.pid)):
                    with suppress(ProcessLookupError):
                        os.kill(pid, 9)
                process.wait()


def stations_toml(urls: Sequence[str]) -> str:
    """Give the stations of a configuration, s0, s1, ..."""
    return "".join(f'[[station]]\nid = "s{number}"\nsource = "{url}"\n' for number, url in enumerate(urls))


def tree(pid: int) -> list[int]:
    """Give a process and all that descend from it."""
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def command_of(pid: int) -> str:
    """Give the words of a process, or its title; nothing of one that is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


def memory_kb(pid: int) -> tuple[int, int]:
    """Give the KiB of a process: resident, and proportional; none of one that is gone."""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        fields = dict(line.split(":") for line in text.splitlines()[1:])
        return int(fields["Rss"].split()[0]), int(fields["Pss"].split()[0])
    return 0, 0


def cpu_s(pid: int) -> float:
    """Give the CPU seconds of a process and of its children that have ended; 0 of one that is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        # The process's own clock, as clock_getcpuclockid(3) makes it: the fields of `stat` count in 10 ms.
        return time.clock_gettime(~pid << 3 | 2) + (int(fields[13]) + int(fields[14])) / TICKS
    return 0.0
