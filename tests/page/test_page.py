"""The page as a process: what it answers, how it begins and ends, and what it asks of the daemon."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from streamer.history.store import Heard as HeardTrack
from streamer.history.store import Open, Segment, Store, TrackRow
from tests.audio_files import sound, write
from tests.gateway.joining import gateway
from tests.page.conftest import ROOT, Air, PageProcess
from tests.system.conftest import wait_until
from tests.system.running import Heard, daemon

pytestmark = pytest.mark.system


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def until_known(page: PageProcess, *stations: str) -> None:
    def known() -> set[str]:
        return {s["id"] for s in json.loads(get(page.url + "api/stations")[1]) if s["since"] > 0}

    wait_until(lambda: known().issuperset(stations), "stations")


@pytest.fixture(scope="module", autouse=True)
def stations(air, page):
    air.says("kexp", "jazz", title="A - B")
    air.status("far", "lost", "source-connection", "reset by peer")
    air.says("far", "no-signal")
    air.track("kexp", "Before")
    until_known(page, "kexp", "far")


def test_programs_get_the_same_as_json(page):
    status, text = get(page.url + "api/stations/kexp")
    station = json.loads(text)

    assert status == 200
    assert (station["genre"], station["title"], station["confidence"]) == ("jazz", "A - B", 0.8)
    assert json.loads(get(page.url + "api/stations/far")[1])["detail"] == "reset by peer"


@pytest.mark.parametrize("path", ["api/stations/nobody", "events/nobody", "api/stations/nobody/history"])
def test_a_station_that_is_not_known_is_not_found(page, path):
    status, text = get(page.url + path)

    assert (status, json.loads(text)["code"]) == (404, "unknown-station")


@pytest.mark.parametrize("path", ["static/../app.py", "static/%2e%2e/app.py", "static/", "nowhere"])
def test_nothing_but_its_own_files_is_served(page, path):
    assert get(page.url + path)[0] == 404


def test_without_a_history_the_tracks_that_were_heard_are_told(page):
    past = json.loads(get(page.url + "api/stations/kexp/history")[1])

    assert past["hours"] is None
    assert [(track["title"], track["what"]) for track in past["tracks"]] == [("Before", "jazz")]


def test_a_spectrogram_is_asked_for_only_while_somebody_looks(air, page):
    assert air.demand == frozenset()

    with urllib.request.urlopen(page.url + "events/kexp", timeout=10) as stream:
        assert stream.readline() == b"event: all\n"
        wait_until(lambda: air.demand == {"kexp"}, "demand")

    wait_until(lambda: air.demand == frozenset(), "its end")


def test_too_many_streams_are_refused_and_told_when_to_come_again(page):
    streams = [urllib.request.urlopen(page.url + "events", timeout=10) for _ in range(64)]

    status, _ = get(page.url + "events")
    for stream in streams:
        stream.close()

    assert status == 503
    wait_until(lambda: can_watch(page), "room")


def can_watch(page: PageProcess) -> bool:
    try:
        with urllib.request.urlopen(page.url + "events", timeout=10):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return False


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_it_ends_its_streams_and_says_nothing(air, how):
    page = PageProcess("--connect", air.bus.endpoint, "--bind", "127.0.0.1:0")
    with urllib.request.urlopen(page.url + "events", timeout=10) as stream:
        stream.readline()
        began = time.monotonic()
        page.process.send_signal(how)
        stream.read()
        errors = page.process.communicate(timeout=10)[1]

    assert time.monotonic() - began < 5  # half a second on a machine that does nothing else
    assert (page.process.returncode, errors) == (0, "")


def test_an_address_in_use_is_a_sentence(air):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("--connect", air.bus.endpoint, "--bind", bind)

    assert done.returncode == 11
    assert f"genrecast: can't serve on '{bind}': Address already in use\n  try: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--bind", "0.0.0.0:8567"), "can be reached from other machines, and there is no token"),
        (("--bind", "8567"), "bind = '8567' is no address and port"),
        (("--config", "nowhere.toml"), "nowhere.toml: can't be read"),
        (("--connect", "nonsense", "--bind", "127.0.0.1:0"), "can't connect to 'nonsense'"),
    ],
)
def test_what_can_not_be_used_is_a_sentence(arguments, said):
    done = run(*arguments)

    assert done.returncode in (3, 6)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_where_its_libraries_are_missing_it_says_what_to_install():
    hidden = "import sys; sys.modules['starlette'] = None; from streamer.cli.main import main; main(['page'])"
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=ROOT, capture_output=True, text=True, timeout=30
    )

    assert done.returncode == 3
    assert "pip install 'genrecast[server]'" in done.stderr


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "streamer.cli", "page", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture(scope="module")
def kept(air, tmp_path_factory):
    """A page with a history, below a path, and with a token."""
    folder = tmp_path_factory.mktemp("kept")
    now = time.time()
    store = Store.open(str(folder / "h.sqlite"), write=True)
    segments = [
        Segment("kexp", "music", "rock", 0.9, now - 7000, now - 1800),
        Segment("kexp", "speech", None, 0.9, now - 1800, now - 900),
    ]
    track = HeardTrack(
        "old", 0, TrackRow("kexp", "Of Yesterday", "rock", 0.7, now - 90_000, now - 89_800, 200.0)
    )
    store.write(segments, [track], [Open("old", Segment("kexp", "music", "jazz", 0.9, now - 900, now - 600))])
    store.close()
    (folder / "c.toml").write_text(
        f"bind = '{air.bus.endpoint}'\n[history]\npath = 'h.sqlite'\n"
        "[page]\nbind = '127.0.0.1:0'\nbase_path = '/radio'\ntoken = 'a-token-of-some-length'\n"
        "[[station]]\nid = 'kexp'\nsource = 'a.mp3'\n"
    )
    process = PageProcess("--config", str(folder / "c.toml"))
    yield process
    process.close()


def allowed(kept: PageProcess, path: str) -> tuple[int, str]:
    request = urllib.request.Request(
        kept.url + path, headers={"Authorization": "Bearer a-token-of-some-length"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, answer.read().decode()


def test_without_the_token_nothing_is_told(kept):
    assert get(kept.url + "api/stations")[0] == 401


def test_behind_a_proxy_it_is_found_with_its_path_and_without(kept):
    with_path, without = allowed(kept, "radio/"), allowed(kept, "")

    assert with_path == without
    assert '<base href="/radio/">' in without[1]
    assert allowed(kept, "radio/static/page.css")[0] == 200


def test_the_last_hour_and_the_past_come_from_the_history(air, kept):
    wait_until(lambda: "kexp" in allowed(kept, "api/stations")[1], "station")
    past = json.loads(allowed(kept, "api/stations/kexp/history")[1])
    request = urllib.request.Request(
        kept.url + "events", headers={"Authorization": "Bearer a-token-of-some-length"}
    )
    with urllib.request.urlopen(request, timeout=10) as stream:
        stream.readline()
        whole = json.loads(stream.readline().removeprefix(b"data: "))
    strip = next(station["strip"] for station in whole["stations"] if station["id"] == "kexp")

    assert [track["title"] for track in past["tracks"]] == ["Of Yesterday"]
    assert {what for _, what, _ in past["hours"]} == {"rock", "speech", "jazz"}
    assert [whole["names"][what] for what in strip[1::2]] == ["rock", "speech", "jazz", None, "jazz"]


def test_a_history_that_can_not_be_read_is_told_and_the_page_goes_on(air, tmp_path):
    (tmp_path / "h.sqlite").write_bytes(b"no database" * 1000)
    (tmp_path / "c.toml").write_text(
        f"bind = '{air.bus.endpoint}'\n[history]\npath = 'h.sqlite'\n[page]\nbind = '127.0.0.1:0'\n"
        "[[station]]\nid = 'kexp'\nsource = 'a.mp3'\n"
    )
    page = PageProcess("--config", str(tmp_path / "c.toml"))
    try:
        until_known(page, "kexp")
        status, text = get(page.url + "api/stations/kexp/history")
    finally:
        page.close()

    assert (status, json.loads(text)["code"]) == (503, "history-broken")


def test_the_daemon_runs_it_where_the_configuration_has_a_page_and_again_when_it_dies(tmp_path):
    path = write(tmp_path / "tone.wav", sound(60))
    with daemon(tmp_path, f"file:{path}?pace=live", more="[page]\nbind = '127.0.0.1:0'") as heard:
        url = address(heard)
        wait_until(lambda: "s0" in get(url + "api/stations")[1], "station")
        pid = next(
            pid for pid in heard.workers() if Path(f"/proc/{pid}/cmdline").read_bytes().endswith(b"\0page\0")
        )
        os.kill(pid, signal.SIGKILL)
        heard.until(lambda m: m["kind"] == "heartbeat" and m["attendants"]["page"]["state"] == "restarting")
        again = address(heard)
        wait_until(lambda: "s0" in get(again + "api/stations")[1], "station")


def test_at_a_gateway_the_stations_of_all_daemons_are_shown_as_they_are(tmp_path):
    with (
        closing(Air("one")) as one,
        closing(Air("two")) as two,
        gateway(tmp_path, "--from", one.bus.endpoint, "--from", two.bus.endpoint),
        closing(PageProcess("--connect", f"ipc://{tmp_path}/bind", "--bind", "127.0.0.1:0")) as page,
    ):

        def shown() -> list[tuple]:
            one.says("a", "jazz")
            two.says("b", "rock")
            stations = json.loads(get(page.url + "api/stations")[1])
            return sorted((s["id"], s["genre"], s.get("reason")) for s in stations)

        wait_until(lambda: shown() == [("a", "jazz", None), ("b", "rock", None)], "both")


def address(heard: Heard) -> str:
    """Wait until the daemon tells where the page is."""

    def tells(message: dict) -> bool:
        return message["kind"] == "heartbeat" and "http" in message["attendants"]["page"]["detail"]

    return heard.until(tells)["attendants"]["page"]["detail"].split()[-1]
