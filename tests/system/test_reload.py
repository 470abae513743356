"""A configuration that is read again: stations come, go and change, and the others don't miss a window."""

import contextlib
import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.audio_files import sound, write
from tests.system.running import (
    ROOT,
    Heard,
    Message,
    all_heard,
    assert_unbroken,
    by_topic,
    daemon,
    listen_for,
    listening,
)

pytestmark = pytest.mark.system

HOP_S = 0.5


@pytest.fixture(autouse=True)
def runtime(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have daemons and `genrecast reload` meet in a folder of the test's own."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path_factory.mktemp("run")))


def reload(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "streamer.cli", "reload", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def edit(config: Path, *changes: tuple[str, str]) -> None:
    text = config.read_text()
    for pattern, replacement in changes:
        text, count = re.subn(pattern, replacement, text)
        assert count == 1, pattern
    config.write_text(text)


def table(id: str, source: str) -> str:
    return f"[[station]]\nid = '{id}'\nsource = '{source}'\n"


def stopped(heard: Heard, station: str) -> str:
    """Wait until a station has stopped; give the reason."""
    return heard.until(lambda m: m.get("event") == "stopped" and m["station"] == station)["reason"]


def missed(windows: list[Message]) -> int:
    """Count windows that should lie between these, at the hops that they name."""
    return sum(
        max(round((after["position"] - before["position"]) / max(before["hop"], after["hop"])) - 1, 0)
        for before, after in itertools.pairwise(windows)
    )


def replayed(folder: Path) -> set[str]:
    """Give the stations that a late subscriber is told of, at once."""
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.subscribe("status/")
        subscriber.connect(f"ipc://{folder}/bus")
        told = set()
        while subscriber.poll(1000):
            told.add(json.loads(subscriber.recv_multipart()[1])["station"])
        return told


def test_of_forty_stations_those_that_are_not_touched_lose_no_window(programme, tmp_path):
    untouched = {f"s{number}" for number in range(3, 40)}
    config = tmp_path / "c.toml"
    with listening(programme, tmp_path, 40, HOP_S, "workers = 1") as (stations, heard):
        before = len(heard.messages)
        edit(config, ("workers = 1", "workers = 2"))  # what comes from here on gets another
        edit(config, *((re.escape(table(f"s{n}", stations.url(n))), "") for n in (0, 1)))
        edit(config, (f"'{stations.url(2)}'", f"'{stations.url(0)}'"))
        config.write_text(config.read_text() + table("new", stations.url(1)))
        answer = reload()
        assert answer.stdout == "added: new\nchanged: s2\nremoved: s0, s1\n"
        all_heard(heard, {"new", "s2"})
        gone = {m["station"]: m["reason"] for m in heard.messages[before:] if m.get("event") == "stopped"}
        workers = len(heard.workers())

        config.write_text(config.read_text() + table("s0", stations.url(0)))
        again = reload("--config", config)
        all_heard(heard, {"s0"})
        beat = heard.until(lambda m: m["kind"] == "heartbeat")
        late = replayed(tmp_path)

    assert again.stdout == "added: s0\n"
    assert gone == {"s0": "removed", "s1": "removed", "s2": "changed"}
    assert late == untouched | {"s0", "s2", "new"}
    assert workers == 2
    assert_unbroken(heard.messages)
    told = by_topic(heard.messages[before:])
    # Nothing is lost but what the daemon itself says that it couldn't do on a busy machine.
    assert sum(missed(told["genre", station]) for station in untouched) <= beat["dropped"]
    for station in untouched:
        assert {m["event"] for m in told["status", station]} <= {"title"}, station


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Heard]]:
    """A daemon over two stations for several tests, and its configuration."""
    folder = tmp_path_factory.mktemp("two")
    tone = write(folder / "tone.wav", sound(110))
    env = {**os.environ, "RUNTIME_DIRECTORY": str(folder)}
    with daemon(folder, *[f"file:{tone}?pace=live"] * 2, hop=HOP_S, env=env) as heard:
        all_heard(heard, {"s0", "s1"})
        yield folder / "c.toml", heard


@contextlib.contextmanager
def edited(config: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a test write into a configuration, which is as before in the end."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(config.parent))
    text = config.read_text()
    yield
    config.write_text(text)
    assert reload().returncode == 0


def test_a_configuration_that_cannot_be_used_is_refused_and_all_goes_on(two, monkeypatch):
    config, heard = two
    with edited(config, monkeypatch):
        edit(config, ("id = 's0'", "id = 'S 0'"))
        before = len(heard.messages)
        refused = reload()
        listen_for(heard, 1.0)

    assert refused.returncode == 3
    assert 'id = "S 0": malformed' in refused.stderr
    assert "try:" in refused.stderr
    assert {m["kind"] for m in heard.messages[before:]} <= {"genre", "heartbeat"}


def test_what_needs_a_restart_is_said_and_the_rest_is_followed(two, monkeypatch):
    config, heard = two
    with edited(config, monkeypatch):
        before = len(heard.messages)
        edit(config, ("hop = 0.5", "hop = 2"), ("id = 's1'", "id = 'other'"))
        answer = reload()
        all_heard(heard, {"other"})

    assert "added: other\nremoved: s1\nneeds a restart: hop\n" in answer.stdout
    assert {m["hop"] for m in by_topic(heard.messages[before:])["genre", "s0"]} == {HOP_S}


def test_a_signal_is_as_good_as_the_command(two, monkeypatch):
    config, heard = two
    with edited(config, monkeypatch):
        edit(config, ("id = 's1'", "id = 'by-signal'"))
        heard.process.send_signal(signal.SIGHUP)
        all_heard(heard, {"by-signal"})


def test_a_station_that_is_taken_out_while_its_worker_is_dead_is_told_and_forgotten(two, monkeypatch):
    config, heard = two
    with edited(config, monkeypatch):
        os.kill(heard.workers()[0], signal.SIGKILL)
        edit(config, (r"id = 's1'", "id = 'in-its-place'"))
        answer = reload()
        reason = stopped(heard, "s1")
        all_heard(heard, {"s0", "in-its-place"})

    assert answer.returncode == 0
    assert reason == "removed"
    assert_unbroken(heard.messages)


def test_a_daemon_without_a_file_says_that_there_is_nothing_to_read_again(tmp_path):
    tone = write(tmp_path / "tone.wav", sound(60))
    source = ("--source", f"file:{tone}?pace=live", "--bind", f"ipc://{tmp_path}/bus")
    with subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", "run", *source], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        lines = iter(process.stderr.readline, "")
        next(line for line in lines if "connected" in line)
        process.send_signal(signal.SIGHUP)
        said = next(line for line in lines if line.startswith("reload"))
        unasked = reload()
        process.terminate()

    assert "not started from a configuration file" in said
    assert process.returncode == 0
    assert unasked.returncode == 12
    assert "no daemon runs from a configuration file" in unasked.stderr


def test_a_daemon_whose_terminal_is_closed_ends(tmp_path):
    source = f"file:{write(tmp_path / 'tone.wav', sound(60))}?pace=live"
    program = [sys.executable, "-m", "streamer.cli", "run", "--source", source]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [*program, "--bind", f"ipc://{tmp_path}/bus"])
    said = b""
    while b"connected" not in said:
        said += os.read(terminal, 4096)
    os.close(terminal)

    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_of_several_daemons_the_file_names_the_one_that_is_meant(two, monkeypatch, tmp_path):
    config, _ = two
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(config.parent))
    tone = write(tmp_path / "tone.wav", sound(60))
    with daemon(tmp_path, f"file:{tone}?pace=live") as heard:
        heard.signal()
        unnamed, named = reload(), reload("--config", config)

    assert unnamed.returncode == 12
    assert str(config) in unnamed.stderr
    assert str(tmp_path / "c.toml") in unnamed.stderr
    assert named.stdout == "nothing is new\n"
