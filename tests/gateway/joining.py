"""A gateway as a process, and what a subscriber hears of it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq

from tests.system.running import ROOT, Heard, Message

END_S = 10.0


@contextmanager
def gateway(
    folder: Path, *options: str, env: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[str]"]:
    """Run a gateway: daemons at `accept` in the folder, subscribers at `bind`."""
    ends = ["--accept", f"ipc://{folder}/accept", "--bind", f"ipc://{folder}/bind"]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", "gateway", *ends, *options],
        cwd=ROOT,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "ready" in line:
                break
        yield process
        process.terminate()
        errors = process.communicate(timeout=END_S)[1]
        assert "Traceback" not in errors, errors
        assert process.returncode in (0, -9), errors  # the latter: by the test
    finally:
        process.kill()
        process.communicate()


@contextmanager
def hearing(
    folder: Path, process: "subprocess.Popen[str]", *prefixes: str, waiting: int = 0
) -> Iterator[Heard]:
    """Subscribe to a gateway."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.RCVHWM, waiting)
        socket.setsockopt(zmq.RECONNECT_IVL, 10)
        for prefix in prefixes or ("",):
            socket.subscribe(prefix)
        socket.connect(f"ipc://{folder}/bind")
        yield Heard(socket, process)


def once(messages: list[Message]) -> list[Message]:
    """Leave out what was told again because somebody else had come."""
    newest: dict[tuple[str, str, str], int] = {}
    first = []
    for message in messages:
        key = message["kind"], message["station"], message["boot"]
        if message["seq"] > newest.get(key, -1):
            newest[key] = message["seq"]
            first.append(message)
    return first
