"""The keeper, through everything that befalls a disk, a server and a process."""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from streamer.errors import HistoryError
from streamer.history.keeper import Keeper
from streamer.history.store import Segment, Store
from streamer.publish.messages import seconds
from streamer.sections import HistoryConfig
from tests.audio_files import sound, write
from tests.cli.conftest import genrecast  # noqa: F401
from tests.history.keeping import Air, keeper, on_air
from tests.history.saying import NOON, Voice
from tests.system.conftest import wait_until
from tests.system.running import daemon

Script = Callable[[], Iterator[dict[str, Any] | None]]
KILLS = 8
PACE_S = 0.04


@pytest.fixture
def at_once(monkeypatch):
    """Have the keeper write at every turn, and try again at once."""
    for pause in ("FLUSH_S", "RETRY_S", "LOOK_S"):
        monkeypatch.setattr(f"streamer.history.keeper.{pause}", 0.0)


class Kept:
    """A keeper's history, and what it said."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.said: list[tuple[str | None, str]] = []

    def run(self, script: Script, **history: Any) -> None:
        where = {"url": self.url} if "://" in self.url else {"path": self.url}
        Keeper(HistoryConfig(**where, **history), lambda *said: self.said.append(said)).run(script())

    @property
    def codes(self) -> list[str | None]:
        return [code for code, _ in self.said]

    def segments(self) -> list[Segment]:
        store = Store.open(self.url)
        try:
            return store.segments()
        finally:
            store.close()

    def spans(self) -> list[tuple[str, float, float]]:
        return [(s.genre or s.state, s.start - NOON, s.end - NOON) for s in self.segments()]


def test_what_is_heard_is_kept_to_the_last_message(url, at_once):
    kept, voice = Kept(url), Voice()

    kept.run(lambda: iter([*(voice.genre(NOON + t, "jazz" if t < 3 else "rock") for t in range(6)), None]))

    assert kept.spans() == [("jazz", 0, 3), ("rock", 3, 5)]
    assert kept.codes == [None]


def test_a_locked_file_is_said_and_written_when_it_is_free(tmp_path, at_once):
    kept, voice = Kept(str(tmp_path / "history.sqlite")), Voice()

    def script() -> Iterator[dict[str, Any]]:
        yield voice.genre(NOON)
        with contextlib.closing(sqlite3.connect(kept.url, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield from (voice.genre(NOON + t, "rock") for t in range(1, 4))
            other.execute("ROLLBACK")
        yield voice.genre(NOON + 4, "rock")

    kept.run(script)

    assert kept.codes == [None, "history-locked", None]
    assert kept.spans() == [("jazz", 0, 1), ("rock", 1, 4)]


@pytest.mark.system
def test_a_full_disk_is_said_and_what_was_heard_meanwhile_is_written_when_there_is_room(tmp_path, at_once):
    if (
        os.geteuid() != 0
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path)], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("a small tmpfs can't be mounted here")
    kept, voice, ballast = Kept(str(tmp_path / "history.sqlite")), Voice(), tmp_path / "ballast"

    def script() -> Iterator[dict[str, Any]]:
        yield from (voice.genre(NOON + t) for t in range(3))
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        for t in range(3, 303):
            yield voice.genre(NOON + t, "jazz" if t % 2 else "rock")
            yield voice.track(NOON + t - 1, NOON + t)
        assert kept.codes == [None, "history-disk"]
        ballast.unlink()
        yield voice.genre(NOON + 303)

    try:
        kept.run(script)

        assert kept.codes == [None, "history-disk", None]
        assert_sound(kept)
        assert sum(s.end - s.start for s in kept.segments()) == 303
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.parametrize("damage", ["no database", "cut short", "overwritten inside"])
def test_a_broken_file_is_moved_aside_and_a_new_one_begun(tmp_path, at_once, damage):
    kept, voice = Kept(str(tmp_path / "history.sqlite")), Voice()
    path = Path(kept.url)
    kept.run(lambda: iter(voice.genre(NOON + t, ["jazz", "rock"][t % 2]) for t in range(300)))
    kept.said.clear()
    whole = path.read_bytes()
    broken = {
        "no database": b"x" * 9000,
        "cut short": whole[:6000],
        "overwritten inside": whole[:4096] + b"\xa5" * (len(whole) - 4096),
    }[damage]
    path.write_bytes(broken)

    kept.run(lambda: iter(voice.genre(NOON + t) for t in range(300, 310)))

    assert kept.codes == ["history-broken", None]
    (aside,) = tmp_path.glob("history.sqlite.broken-*")
    assert aside.name in kept.said[0][1]
    assert aside.read_bytes() == broken
    assert kept.spans()[-1][2] == 309


def test_a_dying_disk_is_not_filled_with_broken_files(tmp_path, at_once):
    kept, voice = Kept(str(tmp_path / "history.sqlite")), Voice()

    def script() -> Iterator[dict[str, Any]]:
        for t in range(20):
            for suffix in ("-wal", "-shm"):
                Path(kept.url + suffix).unlink(missing_ok=True)
            Path(kept.url).unlink(missing_ok=True)
            Path(kept.url).write_bytes(b"x" * 9000)
            yield voice.genre(NOON + t)

    kept.run(script)

    assert len(list(tmp_path.glob("*.broken-*"))) == 1
    assert kept.codes[-1] == "history-broken"


def test_a_file_that_was_taken_away_is_begun_anew(tmp_path, at_once):
    kept, voice = Kept(str(tmp_path / "history.sqlite")), Voice()

    def script() -> Iterator[dict[str, Any]]:
        yield from (voice.genre(NOON + t) for t in range(3))
        for path in tmp_path.iterdir():
            path.rename(tmp_path / f"taken-{path.name}")
        yield from (voice.genre(NOON + t) for t in range(3, 6))

    kept.run(script)

    assert kept.codes == [None, "history-disk", None]
    assert kept.spans() == [("jazz", 0, 5)]


def test_another_programs_database_is_left_alone(tmp_path, at_once):
    kept, voice = Kept(str(tmp_path / "mail.sqlite")), Voice()
    with contextlib.closing(sqlite3.connect(kept.url)) as other:
        other.execute("CREATE TABLE mail (body TEXT)")
    before = Path(kept.url).read_bytes()

    kept.run(lambda: iter([voice.genre(NOON), voice.genre(NOON + 1)]))

    assert kept.codes == ["history"]
    assert Path(kept.url).read_bytes() == before
    with pytest.raises(HistoryError, match="another program"):
        Store.open(kept.url)


def test_the_file_is_kept_below_its_size_and_given_back_to_the_disk(tmp_path, at_once, monkeypatch):
    monkeypatch.setattr("streamer.history.retain.SLICE", 100)
    kept, voice = Kept(str(tmp_path / "history.sqlite")), Voice()

    def script() -> Iterator[dict[str, Any]]:
        for t in range(3000):
            yield voice.genre(NOON + t, "jazz" if t % 2 else "rock")
            yield voice.track(NOON + t - 1, NOON + t, title="x" * 200)

    kept.run(script, max_mb=0.5, keep_days=36500)

    assert Path(kept.url).stat().st_size < 0.7e6
    assert 100 < len(kept.segments()) < 2500
    assert kept.spans()[-1][2] == 2999
    assert_sound(kept)


@pytest.mark.system
def test_a_server_that_restarts_loses_nothing(postgres, at_once):
    kept, voice = Kept(postgres.url()), Voice()

    def script() -> Iterator[dict[str, Any]]:
        yield voice.genre(NOON)
        postgres.stop()
        yield from (voice.genre(NOON + t, "rock") for t in range(1, 4))
        postgres.start()
        yield voice.genre(NOON + 4, "rock")

    kept.run(script)

    assert kept.codes == [None, "history-server", None]
    assert kept.spans() == [("jazz", 0, 1), ("rock", 1, 4)]


@pytest.mark.system
def test_a_keeper_that_is_asked_to_end_writes_what_it_has_heard(url):
    kept, voice = Kept(url), Voice()
    with on_air() as air, keeper(air.endpoint, url) as process:
        air.say(voice.genre(NOON))
        air.say(voice.genre(NOON + 1))
        wait_until(lambda: bool(kept.segments()), "the first segment", process)

        air.say(voice.genre(NOON + 2))
        time.sleep(0.05)  # the message is on its way; nobody can be asked whether it has come
        process.send_signal(signal.SIGTERM)

        assert process.wait(5) == 0
    assert kept.spans() == [("jazz", 0, 2)]


@pytest.mark.system
@pytest.mark.slow
def test_what_a_daemon_says_is_kept_and_shown(tmp_path, genrecast):  # noqa: F811
    write(tmp_path / "a.wav", sound(20.0))
    path = tmp_path / "history.sqlite"
    with (
        daemon(tmp_path, f"file:{tmp_path}/a.wav?pace=live") as heard,
        keeper(f"ipc://{tmp_path}/bus", str(path)) as process,
    ):
        heard.signal()
        said = heard.signal()
        wait_until(lambda: newest(Kept(str(path))) >= seconds(said["time"]), "it to be written", process)

    shown = [json.loads(line) for line in genrecast("history", "--db", path, "--json").stdout.splitlines()]
    assert shown[-1]["station"] == "s0"
    assert (shown[-1]["state"], shown[-1]["genre"]) == (said["state"], said["genre"])


@pytest.mark.system
@pytest.mark.slow
def test_kill_9_loses_no_more_than_a_second_and_breaks_nothing(tmp_path):
    losses_s, late_s = killed(tmp_path, KILLS)

    assert max(losses_s) <= 1.0 + late_s, losses_s


def killed(folder: Path, times: int) -> tuple[list[float], float]:
    """Kill a keeper so many times in mid-run.

    Returns:
        by how many seconds the history was behind each time, and by how many this machine has kept a
        process waiting meanwhile.
    """
    kept, losses_s = Kept(str(folder / "history.sqlite")), []
    with on_air() as air, talking(air) as lates_s:
        for _ in range(times):
            with keeper(air.endpoint, kept.url) as process:
                began = time.time()
                wait_until(lambda: newest(kept) > began, "it to write", process)  # noqa: B023
                time.sleep(random.uniform(0.0, 0.8))
                at = time.time()
                process.kill()
                process.wait()
            losses_s.append(round(at - newest(kept), 3))
            with contextlib.closing(sqlite3.connect(kept.url)) as other:
                assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert_sound(kept)
    return losses_s, max(lates_s)


def newest(kept: Kept) -> float:
    """Give up to when every station is known."""
    ends: dict[str, float] = {}
    for segment in kept.segments():
        ends[segment.station] = segment.end
    return min(ends.values(), default=0.0)


@contextlib.contextmanager
def talking(air: Air) -> Iterator[list[float]]:
    """Have five stations say something all the time, and some of them something new each time.

    Gives by how many seconds each turn is late, which grows.
    """
    ended, lates_s = threading.Event(), [0.0]

    def talk() -> None:
        voices = [Voice(f"s{i}") for i in range(5)]
        turn, due = 0, time.monotonic() + PACE_S
        while not ended.wait(PACE_S):
            lates_s.append(time.monotonic() - due)
            for i, voice in enumerate(voices):
                air.say(voice.genre(time.time(), "jazz" if turn % (i + 1) else "rock"))
            air.say(voices[0].track(time.time() - 1, time.time()))
            turn, due = turn + 1, time.monotonic() + PACE_S

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield lates_s
    finally:
        ended.set()
        thread.join()


def assert_sound(kept: Kept) -> None:
    """No station has two segments at a time."""
    by_station: dict[str, list[Segment]] = {}
    for segment in kept.segments():
        by_station.setdefault(segment.station, []).append(segment)
    for segments in by_station.values():
        assert all(a.end <= b.start for a, b in pairwise(segments))
