"""What subscribes beside the tagging dies, hangs, has trouble: it is told, and the tagging goes on."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from streamer.attend import Order
from streamer.config import Config
from streamer.engine.attendant import Attendant, wanted_attendants
from tests.audio_files import sound, write
from tests.system.running import ROOT, Heard, Message, daemon

pytestmark = pytest.mark.system

HOP_S = 0.5

# A history keeper that does what signals tell it, in the place of the real one.
KEEPER = """
    import signal, sys, types
    from pathlib import Path

    FOLDER = Path(__file__).parent

    def attend(config, endpoint, say):
        signal.signal(signal.SIGUSR1, lambda *_: say("history-disk", "no space left on it"))
        signal.signal(signal.SIGUSR2, lambda *_: say(None, "it is written again"))
        print("what is printed harms nobody", flush=True)
        (FOLDER / "pid").write_text(str(__import__("os").getpid()))
        try:
            while True:
                signal.pause()
        finally:
            (FOLDER / "ended").write_text(f"{endpoint} {len(config.station)}")

    sys.modules["streamer.history.keeper"] = keeper = types.ModuleType("keeper")
    keeper.attend = attend
"""


@contextmanager
def attended(folder: Path) -> Iterator[Heard]:
    """Run a daemon with a keeper over one station, until it is heard."""
    tone = write(folder / "tone.wav", sound(90))
    with daemon(folder, f"file:{tone}?pace=live", hop=HOP_S, env=kept(folder), more="[history]") as heard:
        heard.signal()
        yield heard


def kept(folder: Path) -> dict[str, str]:
    """Give the environment in which the keeper is ours."""
    (folder / "sitecustomize.py").write_text(textwrap.dedent(KEEPER))
    return {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}


def attending(heard: Heard, state: str) -> Message:
    """Wait until the heartbeat says so of the keeper; give what it says."""
    beat = heard.until(lambda m: m["kind"] == "heartbeat" and m["attendants"]["history"]["state"] == state)
    return beat["attendants"]["history"]


def pid(folder: Path) -> int:
    """Wait for a keeper that has not been met yet; give its process id."""
    path, end = folder / "pid", time.monotonic() + 20
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    number = int(path.read_text())
    path.unlink()
    return number


def assert_no_window_missing(heard: Heard) -> None:
    windows = [m for m in heard.messages if m["kind"] == "genre" and m["state"] != "no-signal"]
    steps = [after["position"] - before["position"] for before, after in itertools.pairwise(windows)]
    assert steps[1:] == pytest.approx([HOP_S] * len(steps[1:]), abs=1e-3)


def test_trouble_and_death_of_an_attendant_are_told_until_they_are_over_and_it_ends_with_the_daemon(tmp_path):
    with attended(tmp_path) as heard:
        keeper = pid(tmp_path)
        os.kill(keeper, signal.SIGUSR1)
        trouble = attending(heard, "trouble")
        os.kill(keeper, signal.SIGUSR2)
        well = attending(heard, "running")
        os.kill(keeper, signal.SIGSEGV)
        died = attending(heard, "restarting")
        attending(heard, "running")
        pid(tmp_path)

    assert trouble == {"state": "trouble", "code": "history-disk", "detail": "no space left on it"}
    assert well == {"state": "running", "code": None, "detail": "it is written again"}
    assert (died["code"], died["detail"]) == ("attendant", "it died of signal 11")
    assert (tmp_path / "ended").read_text() == f"ipc://{tmp_path}/bus 1"
    assert_no_window_missing(heard)


def test_an_attendant_ends_when_the_daemon_is_killed(tmp_path):
    with attended(tmp_path) as heard:
        keeper = pid(tmp_path)
        heard.process.kill()

    end = time.monotonic() + 5
    while Path(f"/proc/{keeper}").exists() and time.monotonic() < end:
        time.sleep(0.02)  # another's child can't be waited for
    assert (tmp_path / "ended").exists()


def test_an_attendant_that_hangs_is_killed_and_started_again(tmp_path, monkeypatch):
    monkeypatch.setattr("streamer.engine.attendant.HANG_S", 2.0)
    monkeypatch.setenv("PYTHONPATH", kept(tmp_path)["PYTHONPATH"])
    told = []

    async def stop_it() -> None:
        attendant = Attendant(
            "history", Order("ipc://nowhere", Config()), lambda: told.append(attendant.told)
        )
        running = asyncio.create_task(attendant.run())
        os.kill(await asyncio.to_thread(pid, tmp_path), signal.SIGSTOP)
        await asyncio.to_thread(pid, tmp_path)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(stop_it())

    assert (told[0].state, told[0].code, told[0].detail) == ("restarting", "attendant", "it hung for 2 s")


def test_an_attendant_that_lacks_its_library_says_which_to_install(tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['streamer.page.attend'] = None")
    with subprocess.Popen(
        [sys.executable, "-m", "streamer.attend", "page"],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdin.write(msgspec.json.encode(Order("ipc://nowhere", Config())) + b"\n")
        process.stdin.flush()
        said, errors = process.stdout.read(), process.stderr.read()

    assert process.returncode == 3
    assert b"pip install 'genrecast[server]'" in said
    assert errors == b""


def test_an_attendant_that_is_not_enabled_is_not_wanted():
    class Section(msgspec.Struct):
        enabled: bool = True

    class Sections(Config, frozen=True, kw_only=True):
        page: Section | None = None
        metrics: Section | None = None

    config = Sections(page=Section(), metrics=Section(enabled=False))

    assert list(wanted_attendants(config)) == ["page"]
