"""A real Prometheus asks a real daemon how it is; dashboard and alerts ask only for what it tells."""

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from bench.ports import free_port
from streamer.config import Config
from streamer.sections import MetricsConfig
from tests.attending import attending
from tests.audio_files import sound, write
from tests.system.conftest import EXAMPLES, Prometheus, need
from tests.system.running import Heard, daemon

pytestmark = pytest.mark.system

NAME = re.compile(r"genrecast_[a-z_]+")
DASHBOARD = json.loads((EXAMPLES / "grafana" / "genrecast.json").read_text())


def asked_by_the_dashboard() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def ask(address: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.fixture(scope="module")
def monitored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Heard, str, Prometheus]]:
    """A daemon with a station that is heard and one that isn't, where it is asked, and who asks it."""
    need("prometheus")
    folder = tmp_path_factory.mktemp("monitored")
    address = f"127.0.0.1:{free_port()}"
    prometheus = Prometheus(folder, address)
    tone = write(folder / "tone.wav", sound(90), codec="pcm_s16le")
    more = f"[metrics]\nbind = '{address}'\nper_station = true"
    sources = (f"file:{tone}?pace=live", f"http://127.0.0.1:{free_port()}/dead")
    with daemon(folder, *sources, more=more) as heard:
        prometheus.start()
        try:
            heard.until(lambda m: m["kind"] == "heartbeat" and m["windows"] > 0)
            yield heard, address, prometheus
        finally:
            prometheus.kill()


def told(prometheus: Prometheus, query: str) -> list[tuple[dict[str, str], float]]:
    """Wait until a query has an answer; give labels and values."""
    end = time.monotonic() + 20
    while not (found := prometheus.ask("query", query=query)["result"]):
        assert time.monotonic() < end, f"never an answer to {query}"
        time.sleep(0.1)
    return [(series["metric"], float(series["value"][1])) for series in found]


def test_prometheus_reads_it(monitored):
    _, _, prometheus = monitored

    assert told(prometheus, "genrecast_up == 1")
    assert told(prometheus, "genrecast_windows_total > 0")
    assert told(prometheus, 'genrecast_stations{state="no-signal"} == 1')
    assert told(prometheus, 'genrecast_station_state{station="s1", state="no-signal"} == 1')
    assert told(prometheus, 'genrecast_reconnects_total{reason="source-connection"} > 0')
    assert told(prometheus, 'genrecast_attendant_up{attendant="metrics"} == 1')


def test_the_stages_are_all_that_is_spent_and_none_of_them_runs_back(monitored):
    heard, _, _ = monitored
    heard.until(lambda m: m["kind"] == "heartbeat")
    beats = [m for m in heard.messages if m["kind"] == "heartbeat" and m["workers"]][-2:]
    before, after = (beat["cpu_by_stage"] for beat in beats)

    spent = sum(after.values()) - sum(before.values())
    took_s = beats[1]["uptime"] - beats[0]["uptime"]
    assert after.keys() == {"daemon", "start", "source", "front_end", "model", "decide", "tell"}
    assert all(after[stage] >= before[stage] for stage in before)
    assert after["front_end"] > 0
    assert after["model"] > 0
    assert spent == pytest.approx(beats[1]["cpu"] * took_s, abs=0.1)


def test_every_metric_that_dashboard_and_alerts_name_is_there(monitored):
    _, _, prometheus = monitored
    told(prometheus, "genrecast_station_level_dbfs")
    there = set(prometheus.ask("label/__name__/values"))
    alerts = (EXAMPLES / "prometheus" / "alerts.yml").read_text()

    assert set(NAME.findall(" ".join(asked_by_the_dashboard()))) <= there
    assert {name for name in NAME.findall(alerts) if name != "genrecast_"} <= there


def test_every_question_of_the_dashboard_has_an_answer(monitored):
    _, _, prometheus = monitored
    for question in asked_by_the_dashboard():
        told(prometheus, question.replace("$job", "genrecast").replace("$__rate_interval", "10s"))


def test_the_alerts_are_loaded_and_can_be_evaluated(monitored):
    _, _, prometheus = monitored
    told(prometheus, "genrecast_up")
    (group,) = prometheus.ask("rules")["groups"]

    assert len(group["rules"]) == 8
    assert {rule.get("lastError") for rule in group["rules"]} == {None}


def test_alerts_do_in_time_what_they_say(tmp_path):
    need("promtool")
    shutil.copytree(EXAMPLES / "prometheus", tmp_path, dirs_exist_ok=True)
    for line in (["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            ["promtool", *line], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_daemon_that_runs_is_healthy_and_ready(monitored):
    _, address, _ = monitored

    assert ask(address, "healthz") == (200, "ok\n")
    assert ask(address, "readyz") == (200, "ok\n")
    assert ask(address, "nothing")[0] == 404


def test_without_a_daemon_it_is_neither_and_says_so(tmp_path):
    config = Config(metrics=MetricsConfig(bind="127.0.0.1:0"))
    with attending("metrics", config, f"ipc://{tmp_path}/bus") as attended:
        address = attended.well("metrics are at").split("//")[1].split("/")[0]
        answers = [ask(address, path) for path in ("healthz", "readyz")]
        metrics = ask(address, "metrics")[1]

    assert answers == [(503, "nothing has been heard of the daemon yet\n")] * 2
    assert "genrecast_up 0.0" in metrics


def test_an_address_in_use_is_trouble_with_a_sentence(monitored):
    _, address, _ = monitored
    with attending("metrics", Config(metrics=MetricsConfig(bind=address)), "ipc:///nowhere") as attended:
        assert address in attended.trouble("web", "Address already in use")
        attended.process.wait(10)
