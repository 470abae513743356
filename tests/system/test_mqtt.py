"""What a real broker keeps of what stations play, and what Home Assistant makes of it."""

import json
import os
import queue
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from streamer.bridge import mqtt
from streamer.bridge.mqtt import STALE_S, Bridge, trust
from streamer.config import Config
from streamer.errors import ConfigError
from streamer.flow import State, Verdict
from streamer.publish.bus import Bus
from streamer.publish.messages import Heartbeat, utc
from streamer.publish.reporter import Reporter
from streamer.sections import MqttConfig
from tests.attending import ROOT, Attended, attending
from tests.publish.test_bus import running
from tests.system.conftest import Mosquitto
from tests.tiny_model import LABELS

pytestmark = pytest.mark.system

HOSTILE = "\x1b[31m'\"</script>{{ 7*7 }} \N{PILE OF POO}"
Start = Callable[..., Mosquitto]
Tell = Callable[..., None]


class Kept:
    """What a broker keeps, seen by a subscriber that has just come."""

    def __init__(self, broker: Mosquitto, **login: str) -> None:
        self.topics: dict[str, str] = {}
        self._news: queue.Queue[tuple[str, str]] = queue.Queue()
        self.client = Client(CallbackAPIVersion.VERSION2)
        if login:
            self.client.username_pw_set(**login)
        self.client.on_connect = lambda *_: self.client.subscribe("#", qos=1)
        self.client.on_message = lambda _, __, message: self._news.put(
            (message.topic, message.payload.decode())
        )
        self.client.connect("127.0.0.1", broker.port)
        self.client.loop_start()

    def until(self, holds: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Wait until what is kept is as it should be."""
        end = time.monotonic() + 20
        while not holds(self.topics):
            try:
                topic, payload = self._news.get(timeout=max(end - time.monotonic(), 0.001))
            except queue.Empty:
                pytest.fail(f"it is not so, but: {self.topics}")
            self.topics[topic] = payload
        return self.topics

    def topic(self, name: str, value: str) -> None:
        self.until(lambda topics: topics.get(name) == value)


@contextmanager
def kept(broker: Mosquitto, **login: str) -> Iterator[Kept]:
    seen = Kept(broker, **login)
    try:
        yield seen
    finally:
        seen.client.disconnect()
        seen.client.loop_stop()


def beat(bus: Bus) -> None:
    """Say that a daemon lives."""
    bus.send(
        Heartbeat(
            station="-", seq=0, boot="b00t", time=utc(time.time()), version="1", model="m", provider="cpu",
            uptime=1.0, stations={"music": 1}, cpu=0.1, cpu_by_stage={}, rss_mb=1.0,
            lag_ms_p50=1.0, lag_ms_p99=1.0, windows=1, dropped=0, hop_stretch=1.0, workers=1, restarts=0,
            attendants={},
        )
    )  # fmt: skip


@contextmanager
def bridged(
    section: MqttConfig, env: dict[str, str] | None = None
) -> Iterator[tuple[Tell, Reporter, Attended]]:
    """Run the bridge on a bus where station kexp plays jazz; give what makes it tell something else."""
    reporters: list[Reporter] = []

    def begin(bus: Bus) -> None:
        beat(bus)
        reporters.append(Reporter(bus, "kexp", "b00t", LABELS))
        tell("music", "jazz")

    def tell(state: State, genre: str | None = None, confidence: float = 0.83, title: str = HOSTILE) -> None:
        verdict = Verdict(state, genre, confidence, 0.0, 1.0, None)
        reporters[0].genre(verdict, None, time=1e9, now=1e9, hop_s=1.0, title=title)

    with running(begin) as bus, attending("mqtt", Config(mqtt=section), bus.endpoint, env) as attended:
        assert bus._loop is not None
        yield (
            lambda *args: bus._loop.call_soon_threadsafe(tell, *args),
            reporters[0],
            attended,
        )


def section(broker: Mosquitto, **more: object) -> MqttConfig:
    return MqttConfig(port=broker.port, **more)


DISCOVERED = [
    "homeassistant/sensor/genrecast_kexp/genre/config",
    "homeassistant/sensor/genrecast_kexp/confidence/config",
    "homeassistant/binary_sensor/genrecast_kexp/signal/config",
]


def test_home_assistant_finds_three_entities_of_a_station_and_their_templates_say_what_plays(mosquitto):
    jinja2 = pytest.importorskip("jinja2")
    broker = mosquitto()
    with bridged(section(broker)) as (_, _, attended), kept(broker) as seen:
        attended.well("connected")
        topics = seen.until(lambda t: "genrecast/station/kexp" in t and t.keys() >= set(DISCOVERED))
        seen.topic("genrecast/availability", "online")
        found = [json.loads(topics[topic]) for topic in DISCOVERED]
        state = json.loads(topics[found[0]["state_topic"]])

    shown = [
        jinja2.Template(entity["value_template"]).render(value_json=state, value=json.dumps(state))
        for entity in found
    ]
    assert shown == ["jazz", "83.0", "ON"]
    assert state["title"] == HOSTILE
    assert {entity["device"]["identifiers"][0] for entity in found} == {"genrecast_kexp"}
    assert len({entity["unique_id"] for entity in found}) == 3
    assert {entity["availability_topic"] for entity in found} == {"genrecast/availability"}
    assert found[0]["json_attributes_topic"] == found[0]["state_topic"]


def test_a_station_without_signal_is_told_at_once_and_an_end_takes_all_away(mosquitto):
    broker = mosquitto()
    with kept(broker) as seen:
        with bridged(section(broker)) as (tell, _, _):
            seen.topic("genrecast/availability", "online")
            tell("no-signal", None, 1.0)
            seen.until(lambda t: '"no-signal"' in t.get("genrecast/station/kexp", ""))
        seen.topic("genrecast/availability", "offline")


def test_a_bridge_that_is_killed_is_offline_by_its_will(mosquitto):
    broker = mosquitto()
    with kept(broker) as seen, bridged(section(broker)) as (_, _, attended):
        seen.topic("genrecast/availability", "online")
        attended.process.kill()
        attended.process.wait()
        seen.topic("genrecast/availability", "offline")


@pytest.mark.slow
def test_a_broker_that_was_restarted_with_nothing_is_told_everything_again(mosquitto):
    broker = mosquitto()
    with bridged(section(broker)) as (tell, _, attended):
        attended.well("connected")
        broker.kill()
        attended.trouble("mqtt", "ended the connection")
        attended.trouble("mqtt", "Connection refused")
        tell("speech")
        broker.start()
        attended.well("connected")
        with kept(broker) as seen:
            topics = seen.until(lambda t: '"speech"' in t.get("genrecast/station/kexp", ""))
            seen.until(lambda t: t.keys() >= {*DISCOVERED, "genrecast/availability"})

    assert topics["genrecast/availability"] == "online"


def test_a_station_that_was_removed_is_taken_out_of_home_assistant(mosquitto):
    broker = mosquitto()
    with kept(broker) as seen, bridged(section(broker)) as (_, reporter, _):
        seen.until(lambda t: t.keys() >= {*DISCOVERED, "genrecast/station/kexp"})
        bus = reporter._bus
        bus._loop.call_soon_threadsafe(lambda: reporter.status("stopped", now=1e9, reason="removed"))
        seen.until(lambda t: not any(t[topic] for topic in (*DISCOVERED, "genrecast/station/kexp")))


def test_the_broker_may_ask_for_a_password_and_a_wrong_one_is_told_and_not_shown(mosquitto, tmp_path):
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "radio", "pa55word"], check=True)
    broker = mosquitto("allow_anonymous false", f"password_file {passwords}")
    (tmp_path / "mqtt-password").write_text("pa55word\n")
    env = {**os.environ, "CREDENTIALS_DIRECTORY": str(tmp_path)}

    with bridged(section(broker, user="radio"), env) as (_, _, attended):
        attended.well("connected")
    with bridged(section(broker, user="radio", password="wr0ng"), env) as (_, _, attended):
        refused = attended.trouble("mqtt", "refuses")
        log = attended.end()

    assert "Not authorized" in refused
    assert "wr0ng" not in log + "".join(detail for _, detail in attended.said)


def test_tls_is_checked_by_the_certificate_that_is_given(mosquitto, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "ca.pem", "-days", "2", "-subj", "/CN=broker",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    broker = mosquitto("allow_anonymous true", f"certfile {tmp_path}/ca.pem", f"keyfile {tmp_path}/key.pem")

    with bridged(section(broker, tls=True, ca=str(tmp_path / "ca.pem"))) as (_, _, attended):
        attended.well("connected")
    with bridged(section(broker, tls=True)) as (_, _, attended):
        attended.trouble("mqtt", "self-signed certificate")


def test_what_is_no_broker_is_told(monkeypatch):
    monkeypatch.setattr(mqtt, "KEEPALIVE_S", 1)
    said: queue.Queue[str] = queue.Queue()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        broker = mqtt.Broker(MqttConfig(port=port), lambda code, detail: said.put(f"{code} {detail}"))
        try:
            assert "does not answer" in said.get(timeout=20)
        finally:
            broker.close("genrecast/availability", "offline")


@pytest.mark.parametrize("text", [None, "", "no certificate"])
def test_a_file_without_certificates_is_an_error_that_names_it(tmp_path, text):
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)

    with pytest.raises(ConfigError, match=r"ca\.pem"):
        trust(str(path))


def test_the_example_prints_what_plays(mosquitto):
    broker = mosquitto()
    with bridged(section(broker)) as (_, _, attended):
        attended.well("connected")
        example = subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / "mqtt_subscribe.py"), str(broker.port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert example.stdout.readline().split()[1:] == ["kexp", "jazz", "83%"]
        finally:
            example.kill()
            example.communicate()


class Recorder:
    """Stands for a broker where the clock is the test's own."""

    def __init__(self) -> None:
        self.connected, self.connections = True, 1
        self.kept: list[tuple[str, object]] = []

    def retain(self, topic: str, payload: object) -> None:
        self.kept.append((topic, payload))


def genre(station: str = "kexp", **more: object) -> dict[str, object]:
    told = {"state": "music", "genre": "jazz", "confidence": 0.5, "since": "", "title": None}
    return {"kind": "genre", "station": station, "level_dbfs": -9.0, "time": ""} | told | more


def test_a_daemon_that_is_not_heard_of_for_three_heartbeats_is_offline():
    recorder = Recorder()
    bridge = Bridge(MqttConfig(), recorder)
    bridge.take({"kind": "heartbeat", "station": "-"}, 100.0)
    for now in (100.0, 100.0 + STALE_S - 0.1, 100.0 + STALE_S):
        bridge.take(None, now)

    assert [payload for _, payload in recorder.kept] == ["offline", "online", "offline"]


def test_figures_alone_are_told_every_so_often_and_news_at_once():
    recorder = Recorder()
    bridge = Bridge(MqttConfig(every=30.0, discovery=""), recorder)
    for now in range(60):
        bridge.take(genre(confidence=now / 100), float(now))
    bridge.take(genre(genre="rock"), 60.5)

    told = [payload["confidence"] for topic, payload in recorder.kept if topic.endswith("/kexp")]
    assert told == [0.0, 0.3, 0.5]


@pytest.mark.parametrize("station", ["+", "#", "a/b", "A", "", "x\0", "$SYS"])
def test_a_name_that_is_no_station_never_becomes_a_topic(station):
    recorder = Recorder()
    Bridge(MqttConfig(), recorder).take(genre(station), 0.0)

    assert [topic for topic, _ in recorder.kept] == ["genrecast/availability"]
