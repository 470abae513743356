"""A daemon as a process, and what a subscriber hears of it."""

import itertools
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import zmq

from bench.radio import Radio, radio
from streamer.publish.messages import KINDS, schema
from tests.tiny_model import model_bytes

ROOT = Path(__file__).parents[2]
VALIDATORS = {kind: jsonschema.Draft202012Validator(schema(kind)) for kind in KINDS}
Message = dict[str, Any]


class Heard:
    """What a subscriber has heard of a daemon; each message is held against its schema."""

    def __init__(self, socket: "zmq.Socket[bytes]", process: "subprocess.Popen[str]") -> None:
        self._socket, self.process = socket, process
        self._last: dict[bytes, bytes] = {}
        self.messages: list[Message] = []

    def until(self, holds: Callable[[Message], bool], seconds: float = 20.0) -> Message:
        """Wait for a message for which something holds."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self._socket.poll(int(left * 1000)):
                message = self._take()
                if message is not None and holds(message):
                    return message
        last = [(m["kind"], m.get("event") or m.get("state")) for m in self.messages[-8:]]
        pytest.fail(f"not within {seconds:g} s; the last messages: {last}")

    def all_there(self) -> None:
        """Take what is there already."""
        while self._socket.poll(0):
            self._take()

    def _take(self) -> Message | None:
        """Take a message; None where it is the last of its topic once more, as who comes late is told it."""
        topic, payload = self._socket.recv_multipart()
        if self._last.get(topic) == payload:
            return None
        self._last[topic] = payload
        message: Message = json.loads(payload)
        VALIDATORS[message["kind"]].validate(message)
        assert topic.decode() == f"{message['kind']}/{message['station']}/"
        self.messages.append(message)
        return message

    def event(self, event: str, seconds: float = 20.0) -> Message:
        return self.until(lambda m: m["kind"] == "status" and m["event"] == event, seconds)

    def state(self, *states: str, seconds: float = 20.0) -> Message:
        return self.until(lambda m: m["kind"] == "genre" and m["state"] in states, seconds)

    def signal(self, seconds: float = 20.0) -> Message:
        return self.until(lambda m: m["kind"] == "genre" and m["state"] != "no-signal", seconds)

    def workers(self) -> list[int]:
        """Give the process ids of those that listen, in the order of their start."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


@contextmanager
def daemon(
    folder: Path,
    *sources: str,
    hop: float = 0.5,
    env: dict[str, str] | None = None,
    embedded: bool = False,
    more: str = "",
    quiet: bool = False,
    name: str = "s",
) -> Iterator[Heard]:
    """Run a daemon over these sources, stations s0, s1, ... of `name` s, with a subscriber from the start.

    `more` are further lines of its configuration; a `quiet` one's log is not kept.
    """
    (folder / "tiny.onnx").write_bytes(model_bytes())
    model = "" if embedded else "model = 'tiny.onnx'\n"
    endpoint = f"ipc://{folder}/bus"
    stations = "".join(
        f"[[station]]\nid = '{name}{i}'\nsource = '{source}'\n" for i, source in enumerate(sources)
    )
    (folder / "c.toml").write_text(f"bind = '{endpoint}'\n{model}hop = {hop}\n{more}\n{stations}")
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.subscribe("")
        subscriber.setsockopt(zmq.RCVHWM, 0)
        subscriber.connect(endpoint)
        process = subprocess.Popen(
            [sys.executable, "-m", "streamer.cli", "run", "--config", str(folder / "c.toml")],
            env=env,
            cwd=ROOT,
            stderr=subprocess.DEVNULL if quiet else subprocess.PIPE,
            text=True,
        )
        try:
            yield Heard(subscriber, process)
            process.terminate()
            errors = process.communicate(timeout=5)[1]
            assert process.returncode in (0, -9), errors  # the latter: by the test
            assert "Traceback" not in (errors or "")
        finally:
            process.kill()
            process.communicate()


@contextmanager
def listening(
    programme: Path, folder: Path, count: int, hop: float, more: str, **options: object
) -> Iterator[tuple[Radio, Heard]]:
    """Run a daemon over so many stations, all of which are heard."""
    with radio(programme, count) as stations:
        urls = [stations.url(number) for number in range(count)]
        with daemon(folder, *urls, hop=hop, more=more, **options) as heard:  # type: ignore[arg-type]
            all_heard(heard, {f"s{number}" for number in range(count)})
            yield stations, heard


def all_heard(heard: Heard, stations: set[str]) -> None:
    """Wait until all of these are heard."""
    missing = set(stations)

    def heard_of(message: Message) -> bool:
        if message["kind"] == "genre" and message["state"] != "no-signal":
            missing.discard(message["station"])
        return not missing

    heard.until(heard_of, 60)


def listen_for(heard: Heard, seconds: float) -> None:
    """Take what comes for a while."""
    end = time.monotonic() + seconds
    heard.until(lambda _: time.monotonic() >= end, seconds + 10)


def by_topic(messages: list[Message]) -> dict[tuple[str, str], list[Message]]:
    found = defaultdict(list)
    for message in messages:
        found[message["kind"], message["station"]].append(message)
    return found


def assert_unbroken(messages: list[Message]) -> None:
    """No number is missing or twice, and time never runs back."""
    for topic, told in by_topic(messages).items():
        first = told[0]["seq"]
        assert [m["seq"] for m in told] == list(range(first, first + len(told))), topic
        times = [m["time"] for m in told]
        assert times == sorted(times), topic


def steps(messages: list[Message], station: str) -> set[float]:
    """Give the distances from one window of a station to the next."""
    positions = [m["position"] for m in messages if (m["kind"], m["station"]) == ("genre", station)]
    return {round(b - a, 3) for a, b in itertools.pairwise(positions)}
