"""Processes that listen die, hang and come back; whoever they don't listen to notices nothing."""

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.radio import radio
from tests.system.running import (
    ROOT,
    Message,
    assert_unbroken,
    by_topic,
    daemon,
    listen_for,
    listening,
    steps,
)

pytestmark = pytest.mark.system

HOP_S = 0.5


def lost_by(messages: list[Message]) -> set[str]:
    return {m["station"] for m in messages if m["kind"] == "status" and m["event"] == "lost"}


def test_a_worker_that_dies_takes_only_its_own_stations_with_it_and_is_back_in_two_seconds(
    programme, tmp_path
):
    with listening(programme, tmp_path, 8, HOP_S, "workers = 2") as (_, heard):
        before = len(heard.messages)
        listen_for(heard, 1.0)
        os.kill(heard.workers()[0], signal.SIGSEGV)
        killed = time.monotonic()
        back: set[str] = set()
        heard.until(
            lambda m: (
                m["kind"] == "status"
                and m["event"] == "connected"
                and (back.add(m["station"]) or len(back) == 4)
            )
        )
        took = time.monotonic() - killed
        listen_for(heard, 5.0)
        told = heard.messages[before:]

    own = lost_by(told)
    reasons = {m["reason"] for m in told if m["kind"] == "status" and m["event"] == "lost"}
    assert len(own) == 4
    assert reasons == {"worker"}
    assert took < 2.0
    assert_unbroken(heard.messages)
    for station in {f"s{n}" for n in range(8)} - own:
        assert steps(told, station) == {HOP_S}, station
    for station in own:
        assert [m["state"] for m in by_topic(told)["genre", station]][-1] != "no-signal"
    assert by_topic(heard.messages)["heartbeat", "-"][-1]["restarts"] <= 1


def test_a_station_that_brings_its_worker_down_three_times_is_left_alone(tmp_path):
    """What a decoder does on hostile bytes is put in by hand: reading them is SIGSEGV."""
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent(
            """
            import os, signal, sys
            if "streamer.engine.worker" in " ".join(sys.orig_argv):
                from streamer.source import http
                read_some = http.HttpResponse.read_some
                async def hostile(self):
                    data = await read_some(self)
                    if b"HOSTILE" in data:
                        os.kill(os.getpid(), signal.SIGSEGV)
                    return data
                http.HttpResponse.read_some = hostile
            """
        )
    )
    tone = tmp_path / "tone.mp3"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:duration=60", tone], check=True
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/live"
        with daemon(tmp_path, f"file:{tone}?pace=live", url, env=env, more="workers = 1") as heard:
            for _ in range(3):
                connection, _ = server.accept()
                with connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\nHOSTILE")
                    heard.until(
                        lambda m: m["kind"] == "status" and m["event"] == "lost" and m["station"] == "s1"
                    )
            stopped = heard.event("stopped")
            heard.until(lambda m: m["station"] == "s0" and m["kind"] == "genre" and m["state"] != "no-signal")

    assert (stopped["station"], stopped["reason"]) == ("s1", "quarantined")
    assert "SIGSEGV" in stopped["detail"]
    assert_unbroken(heard.messages)


@pytest.mark.slow
def test_a_worker_that_hangs_is_replaced(programme, tmp_path):
    with listening(programme, tmp_path, 4, HOP_S, "workers = 2") as (_, heard):
        os.kill(heard.workers()[0], signal.SIGSTOP)
        lost = heard.event("lost", 30)
        heard.until(lambda m: m["kind"] == "status" and m["event"] == "connected")

    assert lost["reason"] == "worker"
    assert "hung" in lost["detail"]
    assert_unbroken(heard.messages)


def test_workers_go_when_the_daemon_is_killed(programme, tmp_path):
    with (
        contextlib.suppress(AssertionError),
        listening(programme, tmp_path, 2, HOP_S, "workers = 2") as (_, heard),
    ):
        workers = heard.workers()
        heard.process.kill()
        heard.process.wait()
        end = time.monotonic() + 5.0
        while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < end:
            time.sleep(0.02)  # another's children can't be waited for

        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_ctrl_c_ends_all_cleanly_and_tells_each_station(programme, tmp_path):
    with radio(programme, 3) as stations:
        urls = " ".join(f"[[station]]\nid = 's{n}'\nsource = '{stations.url(n)}'\n" for n in range(3))
        (tmp_path / "c.toml").write_text(f"bind = 'ipc://{tmp_path}/bus'\nworkers = 2\n{urls}")
        process = subprocess.Popen(
            [sys.executable, "-m", "streamer.cli", "run", "--config", str(tmp_path / "c.toml")],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        assert process.stderr is not None
        said = ""
        while said.count("connected") < 3:
            said += process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        rest = process.communicate(timeout=5)[1]

    assert process.returncode == 0
    assert rest.count("stopped") == 3
    assert "Traceback" not in said + rest


@contextlib.contextmanager
def slowed(pids: list[int], share: float) -> Iterator[None]:
    """Let processes run for a share of the time only, as a machine does that has too much to do."""
    end = threading.Event()

    def slow() -> None:
        while not end.wait(0.1 * share):
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            end.wait(0.1 * (1.0 - share))
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@pytest.mark.slow
def test_too_much_to_do_stretches_hops_then_drops_windows_and_tells_and_recovers(programme, tmp_path):
    with listening(programme, tmp_path, 12, HOP_S, "workers = 1", embedded=True) as (_, heard):
        with slowed(heard.workers(), 0.01):
            stretched = heard.until(lambda m: m["kind"] == "heartbeat" and m["hop_stretch"] > 2.0, 60)
            heard.until(lambda m: m["kind"] == "heartbeat" and m["dropped"] > 0, 60)
            listen_for(heard, 3.0)
        relieved = time.monotonic()
        hops: dict[str, float] = {}
        heard.until(
            lambda m: (
                m["kind"] == "genre"
                and (hops.update({m["station"]: m["hop"]}) or list(hops.values()) == [HOP_S] * 12)
            ),
            20,
        )
        took = time.monotonic() - relieved
        heard.until(lambda m: m["kind"] == "heartbeat")
        beat = heard.until(lambda m: m["kind"] == "heartbeat")

    assert stretched["dropped"] <= beat["dropped"]
    assert took < 10.0
    assert beat["hop_stretch"] == 1.0
    assert dropped(heard.messages) == beat["dropped"]
    assert_unbroken(heard.messages)


def dropped(messages: list[Message]) -> int:
    """Count the windows that were due and didn't come, as a subscriber can: by what gaps lie between."""
    count = 0
    for (kind, _), told in by_topic(messages).items():
        if kind == "genre":
            for before, after in itertools.pairwise(told):
                if after["gap"] and after["position"] > before["position"]:
                    count += max(round((after["position"] - before["position"]) / after["hop"]) - 1, 0)
    return count


def test_duty_leaves_out_what_no_window_needs_and_says_so(programme, tmp_path):
    with listening(programme, tmp_path, 1, HOP_S, "duty = 0.6", embedded=True) as (_, heard):
        for _ in range(2):
            heard.signal()
        told = [m for m in heard.messages if m["kind"] == "genre" and m["state"] != "no-signal"]

    assert {m["hop"] for m in told} == {5.0}  # 2.985 s of window in 0.6, in whole steps of the model
    # The first hop is the station's own phase; frames begin anew after each skip, by one of 16 ms.
    assert all(abs(step - 5.0) < 0.02 for step in steps(told[1:], "s0"))
    assert not any(m["gap"] for m in told)
