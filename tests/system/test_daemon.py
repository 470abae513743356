"""The whole daemon against real servers: what a subscriber sees when things go well, wrong and well again."""

import base64
import os
import signal
import socket
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from streamer.demo.synth import RATE
from streamer.demo.voice import speak
from streamer.publish.subscribe import Subscriber
from tests.system.running import ROOT, daemon

pytestmark = pytest.mark.system


def tone(path: Path, seconds: float, rate: int = 44_100) -> Path:
    samples = (8000 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize(
    ("codec", "rate"),
    [("mp3", 44_100), ("mp3", 48_000), ("aac", 44_100), ("aac", 48_000), ("opus", 48_000)],
)
def test_icecast_is_tagged(icecast, tmp_path, codec, rate):
    with icecast.source("live", codec, rate) as url, daemon(tmp_path, url) as heard:
        connected = heard.event("connected")
        message = heard.signal()

    assert (connected["format"]["codec"], connected["format"]["rate"]) == (codec, rate)
    assert message["level_dbfs"] == pytest.approx(-21, abs=6)
    assert message["probabilities"]


def test_icy_title_arrives_in_the_message(icecast, tmp_path):
    with icecast.source("live", "mp3") as url, daemon(tmp_path, url) as heard:
        heard.signal()
        icecast.title("live", "Björk - Jóga")
        message = heard.until(lambda m: m["kind"] == "genre" and m["title"] is not None)
        icecast.title("live", "Next - One")
        track = heard.until(lambda m: m["kind"] == "track")

    assert message["title"] == "Björk - Jóga"
    assert track["title"] == "Björk - Jóga"
    assert track["windows"] > 0


def test_mount_that_goes_and_comes_back_at_another_rate(icecast, tmp_path):
    with daemon(tmp_path, icecast.url("live")) as heard:
        with icecast.source("live", "mp3", 44_100):
            heard.signal()
        lost = heard.event("lost")
        silent = heard.state("no-signal")
        with icecast.source("live", "mp3", 48_000):
            connected = heard.event("connected", 30)
            back = heard.signal()

    assert lost["reason"] in ("source-ended", "source-connection")
    assert "probabilities" not in silent
    assert connected["format"]["rate"] == 48_000
    assert back["time"] > silent["time"]


def test_one_dead_station_does_not_hold_up_another(icecast, tmp_path):
    dead = f"{icecast.url('nothing')}"
    with icecast.source("live", "mp3") as url, daemon(tmp_path, dead, url) as heard:
        retry = heard.until(lambda m: m["kind"] == "status" and m["event"] == "retrying")
        alive = heard.signal()

    assert alive["station"] == "s1"
    assert (retry["station"], retry["retry_in"] > 0) == ("s0", True)


@pytest.mark.slow
def test_server_that_says_nothing_is_no_signal_within_20_s(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/live"
        with daemon(tmp_path, url) as heard:
            heard.event("connecting")
            started = time.monotonic()
            heard.state("no-signal", seconds=20)
            took = time.monotonic() - started

    assert took < 20


@pytest.mark.slow
def test_stream_that_goes_quiet_is_no_signal_within_20_s(icecast, tmp_path):
    """The server keeps the connection open and sends no more: a stopped source with a live TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/live"
        with daemon(tmp_path, url) as heard:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n" + _mp3(tmp_path, 6))
                heard.signal()
                started = time.monotonic()
                heard.state("no-signal", seconds=20)
                took = time.monotonic() - started

    assert took < 20


def _mp3(folder: Path, seconds: float) -> bytes:
    from tests.audio_files import sound, write

    return write(folder / "a.mp3", sound(seconds)).read_bytes()


def test_sound_card_is_tagged_lost_and_found_again(pulseaudio, tmp_path):
    with daemon(tmp_path, "soundcard:", env=pulseaudio.env) as heard:
        heard.event("connected")
        silence = heard.state("silence")
        with pulseaudio.play(tone(tmp_path / "tone.wav", 30)):
            loud = heard.until(lambda m: m["kind"] == "genre" and (m["level_dbfs"] or -99) > -30)
            pulseaudio.kill()
            killed = time.monotonic()
            heard.state("no-signal")
            took = time.monotonic() - killed
        pulseaudio.start()
        heard.event("connected", 30)
        with pulseaudio.play(tmp_path / "tone.wav"):
            back = heard.until(lambda m: m["kind"] == "genre" and (m["level_dbfs"] or -99) > -30)

    assert silence["level_dbfs"] is None
    assert loud["state"] not in ("silence", "no-signal")
    assert back["state"] not in ("silence", "no-signal")
    assert took < 3.0


def test_speech_like_sound_is_heard_from_the_sound_card(pulseaudio, tmp_path):
    voice = speak(np.random.default_rng(1), 20.0)
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((voice / np.abs(voice).max() * 20_000).astype("<i2").tobytes())
    with daemon(tmp_path, "soundcard:", env=pulseaudio.env, embedded=True) as heard:
        heard.event("connected")
        with pulseaudio.play(tmp_path / "voice.wav"):
            heard.state("speech", seconds=15)


def test_late_subscriber_of_15_lines_has_every_station(tmp_path):
    path = tone(tmp_path / "tone.wav", 60)
    stations = [f"file:{path}?pace=live"] * 5
    with daemon(tmp_path, *stations, hop=1.0) as heard:
        seen: set[str] = set()
        heard.until(lambda m: m["kind"] == "genre" and (seen.add(m["station"]) or len(seen) == 5))
        example = subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / "subscribe.py"), f"ipc://{tmp_path}/bus"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert example.stdout is not None
        lines = [example.stdout.readline().split() for _ in range(5)]
        example.kill()
        example.communicate()

    assert {line[1] for line in lines} == {f"s{i}" for i in range(5)}


def test_mel_is_made_of_a_station_while_somebody_subscribes_to_it_and_after_its_worker_died(tmp_path):
    path = tone(tmp_path / "tone.wav", 60)
    stations = [f"file:{path}?pace=live"] * 2
    watcher = Subscriber(f"ipc://{tmp_path}/bus", ("mel/s1/",))
    with daemon(tmp_path, *stations) as heard:
        first = heard.until(lambda m: m["kind"] == "mel")
        os.kill(heard.workers()[0], signal.SIGKILL)
        heard.event("lost")
        second = heard.until(lambda m: m["kind"] == "mel" and m["seq"] == first["seq"] + 1)
        watcher.close()
        # Both go on; what was on its way when the watcher left may still come.
        for _ in range(6):
            heard.until(lambda m: m["kind"] == "genre" and m["station"] == "s1")
        seen = len(heard.messages)
        for _ in range(3):
            heard.until(lambda m: m["kind"] == "genre" and m["station"] == "s1")

    assert {m["station"] for m in heard.messages if m["kind"] == "mel"} == {"s1"}
    assert len(base64.b64decode(second["data"])) == second["columns"] * second["bands"]
    assert not [m for m in heard.messages[seen:] if m["kind"] == "mel"]


def test_example_is_no_longer_than_it_says():
    code = (ROOT / "examples" / "subscribe.py").read_text().partition('"""\n\n')[2]

    assert sum(1 for line in code.splitlines() if line.strip()) <= 15
