"""What goes wrong with stations, machines and clocks: how it is told, how soon, and that all come back."""

import itertools
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bench.ports import free_port
from tests.system.faults import FAULTS, FaultyRadio, faulty_radio, healthy
from tests.system.running import Heard, Message, all_heard, by_topic, daemon

pytestmark = pytest.mark.system

HOP_S = 0.5
STOPPED_S = 12.0  # longer than a worker may hang
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@contextmanager
def stations(folder: Path, names: list[str], **options: object) -> Iterator[tuple[FaultyRadio, Heard]]:
    """Run a daemon over a station for each of these faults, and one, the last, that is well."""
    closed = free_port()
    with faulty_radio() as server:
        for number, name in enumerate(names):
            act = FAULTS[name].act
            server.acts[f"s{number}"] = act or healthy
        urls = [server.url(FAULTS[name], f"s{number}", closed) for number, name in enumerate(names)]
        urls.append(f"http://127.0.0.1:{server.port}/s{len(names)}")
        with daemon(folder, *urls, hop=HOP_S, **options) as heard:  # type: ignore[arg-type]
            yield server, heard


def missing(messages: list[Message]) -> int:
    """Count the windows of a healthy station that were not told, by number and by position."""
    told = [m for m in messages if m["state"] != "no-signal"]
    holes = sum(b["seq"] - a["seq"] - 1 for a, b in itertools.pairwise(told))
    steps = [
        b["position"] - a["position"] for a, b in itertools.pairwise(told[2:])
    ]  # hops are spread at first
    return holes + sum(round(step / HOP_S) - 1 for step in steps)


def test_each_fault_is_told_by_its_code_in_time_and_its_neighbour_misses_nothing(tmp_path) -> None:
    names = list(FAULTS)
    waits = {f"s{number}": name for number, name in enumerate(names) if FAULTS[name].reason}
    told: dict[str, tuple[str, float]] = {}
    with stations(tmp_path, names) as (server, heard):

        def all_told(m: Message) -> bool:
            if m["kind"] == "status" and m["event"] == "lost" and m["station"] in waits:
                told.setdefault(waits[m["station"]], (m["reason"], time.monotonic()))
            return len(told) == len(waits)

        heard.event("connecting")
        began = time.monotonic()
        heard.until(all_told, max(fault.within_s for fault in FAULTS.values()) + 10)

        late = {name: at - began for name, (_, at) in told.items() if at - began > FAULTS[name].within_s + 5}
        assert {name: reason for name, (reason, _) in told.items()} == {
            name: FAULTS[name].reason for name in told
        }
        assert not late  # 5 s for a machine that is busy

        messages = by_topic(heard.messages)
        for number, name in enumerate(names):
            states = [m["state"] for m in messages["genre", f"s{number}"]]
            if FAULTS[name].reason:
                assert "no-signal" in states, name
            else:
                assert states[-1] != "no-signal", name
                assert not [m for m in messages["status", f"s{number}"] if m["event"] == "lost"], name
        formats = [m["format"]["rate"] for m in messages["status", f"s{names.index('change of rate')}"]
                   if m["format"]]  # fmt: skip
        assert formats == [44_100, 48_000]
        assert missing(messages["genre", f"s{len(names)}"]) == 0

        back = {f"s{number}" for number, name in enumerate(names) if FAULTS[name].act and "https" not in
                FAULTS[name].url}  # fmt: skip
        for path in back:
            server.change(path, healthy)
        all_heard(heard, back)  # within a minute: the longest back-off


def test_a_machine_that_was_suspended_goes_on_where_it_is_without_a_new_worker(tmp_path) -> None:
    with stations(tmp_path, []) as (_, heard):
        heard.signal()
        everybody = [heard.process.pid, *heard.workers()]

        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(STOPPED_S)  # what is tested is that time passes
        for pid in reversed(everybody):
            os.kill(pid, signal.SIGCONT)

        after = time.monotonic()
        heard.until(lambda m: time.monotonic() > after + 2.0 and m["kind"] == "genre", 20)
        assert heard.messages[-1]["state"] != "no-signal"
        assert [heard.process.pid, *heard.workers()] == everybody
        assert not [m for m in heard.messages if m["kind"] == "status" and m["event"] == "lost"]
        numbers = [m["seq"] for m in by_topic(heard.messages)["genre", "s0"]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_clock_that_is_set_back_an_hour_neither_ends_a_station_nor_runs_time_back(tmp_path) -> None:
    if not FAKETIME.exists():
        pytest.skip("not installed: faketime (make setup installs it)")
    offset = tmp_path / "offset"
    offset.write_text("+0")
    env = {
        **os.environ,
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with stations(tmp_path, [], env=env) as (_, heard):
        heard.signal()

        offset.write_text("-1h")

        after = time.monotonic()
        heard.until(lambda m: time.monotonic() > after + 4.0 and m["kind"] == "genre", 20)
        heard.until(lambda m: m["kind"] == "heartbeat", 20)
        told = by_topic(heard.messages)["genre", "s0"]
        times = [datetime.fromisoformat(m["time"]) for m in told]
        assert times == sorted(times)
        assert missing(told) == 0
        assert times[-1] - times[0] < timedelta(minutes=1)
        assert not [m for m in heard.messages if m["kind"] == "status" and m["event"] == "lost"]
