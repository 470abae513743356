"""Real daemons behind a real gateway: what a subscriber hears while they hang, and while a station moves."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.radio import radio
from tests.gateway.joining import gateway, hearing, once
from tests.system.running import Heard, all_heard, assert_unbroken, by_topic, daemon, listen_for

pytestmark = [pytest.mark.system, pytest.mark.slow]


def folders(path: Path, count: int) -> list[Path]:
    made = [path / f"daemon{number}" for number in range(count)]
    for folder in made:
        folder.mkdir()
    return made


@contextmanager
def joined(programme: Path, path: Path) -> Iterator[tuple[Heard, Heard, "subprocess.Popen[str]"]]:
    """Have two daemons behind a gateway; give who hears it, the first of them, and the gateway."""
    one, two = folders(path, 2)
    more = f"gateways = ['ipc://{path}/accept']\n"
    with (
        radio(programme, 3) as stations,
        gateway(path) as process,
        hearing(path, process) as heard,
        daemon(one, stations.url(0), stations.url(1), more=more, name="a") as first,
        daemon(two, stations.url(2), more=more, name="b", quiet=True),
    ):
        all_heard(heard, {"a0", "a1", "b0"})
        yield heard, first, process


def test_daemons_are_heard_as_one_and_a_hanging_one_is_told(programme: Path, tmp_path: Path) -> None:
    with joined(programme, tmp_path) as (heard, first, process):
        heard.until(lambda m: m["kind"] == "heartbeat" and m["daemons"] == 2)
        with hearing(tmp_path, process, "genre/", "status/") as late:
            all_heard(late, {"a0", "a1", "b0"})
        listen_for(heard, 3.0)
        before = list(heard.messages)

        os.kill(first.process.pid, signal.SIGSTOP)
        try:
            lost = [heard.event("lost", 30) for _ in range(2)]
        finally:
            os.kill(first.process.pid, signal.SIGCONT)
        all_heard(heard, {"a0", "a1"})

    assert_unbroken(once([m for m in before if m["kind"] != "heartbeat"]))
    assert {m["station"] for m in lost} == {"a0", "a1"}
    assert {m["reason"] for m in lost} == {"upstream"}
    assert not any(m["boot"] == lost[0]["boot"] for m in heard.messages if m["station"] == "b0")


def test_stations_of_a_daemon_that_is_killed_are_lost_and_those_of_others_are_not(
    programme: Path, tmp_path: Path
) -> None:
    with joined(programme, tmp_path) as (heard, first, process):
        first.process.kill()
        lost = [heard.event("lost", 30) for _ in range(2)]
        with hearing(tmp_path, process, "genre/") as late:
            silent = [late.state("no-signal") for _ in range(2)]
            all_heard(late, {"b0"})

    assert {(m["station"], m["reason"]) for m in lost} == {("a0", "upstream"), ("a1", "upstream")}
    assert {(m["station"], m["boot"]) for m in silent} == {(id, lost[0]["boot"]) for id in ("a0", "a1")}
    assert not any(m["boot"] == lost[0]["boot"] for m in heard.messages if m["station"] == "b0")


def test_a_station_that_moves_from_daemon_to_daemon_never_stops(programme: Path, tmp_path: Path) -> None:
    one, two = folders(tmp_path, 2)
    more = f"gateways = ['ipc://{tmp_path}/accept']\n"
    with radio(programme, 2) as stations, gateway(tmp_path) as process:
        urls = [stations.url(number) for number in range(2)]
        with (
            hearing(tmp_path, process, "genre/s0/", "status/s0/", "change/s0/") as heard,
            daemon(one, *urls, more=more) as first,
        ):
            old = heard.signal(60)["boot"]
            with daemon(two, urls[0], more=more, quiet=True):
                new = heard.until(lambda m: m["kind"] == "genre" and m["boot"] != old, 60)["boot"]
                text = (one / "c.toml").read_text().replace("id = 's0'", "id = 'other'")
                (one / "c.toml").write_text(text)
                first.process.send_signal(signal.SIGHUP)
                first.until(lambda m: m["kind"] == "status" and m["reason"] == "removed", 30)
                listen_for(heard, 2.0)
                moved = list(heard.messages)

    assert new > old
    boots = [m["boot"] for m in moved if m["kind"] == "genre"]
    assert boots == sorted(boots)
    assert all(m["event"] != "stopped" for m in moved if m["kind"] == "status")
    for messages in by_topic([m for m in moved if m["boot"] == new]).values():
        assert_unbroken(once(messages))
    assert {m["state"] for m in moved if m["kind"] == "genre" and m["boot"] == new}.isdisjoint({"no-signal"})
