"""The commands as a newcomer meets them: quick help, wrong words, clean ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.ports import free_port
from streamer.cli.main import COMMANDS
from tests.audio_files import sound, write

pytestmark = pytest.mark.slow  # each starts processes or waits; together too long for `make quick`

ROOT = Path(__file__).parents[2]


def daemon_command(model: Path, *args: str) -> list[str]:
    """Give the command line of a daemon, on any free endpoint unless `args` names one."""
    bind = [] if "--bind" in args else ["--bind", "tcp://127.0.0.1:*"]
    return [sys.executable, "-m", "streamer.cli", "run", "--model", str(model), *bind, *args]


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_nothing_heavy(command):
    code = (
        "import sys; from streamer.cli.main import cli\n"
        f"try: cli.main({[*command.split(), '--help']!r})\n"
        "except SystemExit: pass\n"
        "print({'numpy', 'onnxruntime', 'av', 'zmq', 'rich'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)

    assert "Usage" in done.stdout
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["bogus"], 2, "No such command"),
        (["run", "--hop", "many"], 2, "--hop"),
        (["run", "--hop", "0.01"], 3, "hop"),
        (["run", "--duty", "0"], 3, "duty"),
        (["run", "--workers", "-1"], 3, "workers"),
        (["run", "--source", "gopher://x/"], 3, "gopher"),
        (["run", "--source", "stdin:?rate=x"], 3, "rate"),
        (["run", "--station", "Upper Case"], 3, "Upper Case"),
        (["run", "--config", "missing.toml"], 3, "missing.toml"),
        (["run", "--model", "missing.onnx"], 4, "missing.onnx"),
        (["run", "--bind", "tcp://0.0.0.0:5999", "--source", "stdin:"], 6, "0.0.0.0"),
        (["run", "--bind", "nonsense", "--source", "stdin:"], 6, "nonsense"),
        (["run", "--source", "missing.mp3", "--bind", "tcp://127.0.0.1:*"], 7, "missing.mp3"),
        (["listen", "--connect", "nonsense"], 6, "nonsense"),
        (["classify"], 2, "PATH"),
        (["bridge", "carrier-pigeon"], 2, "carrier-pigeon"),
        (["cluster", "up", "missing.toml"], 3, "missing.toml"),
        (["cluster", "status", "--address", "127.0.0.1:1"], 14, "ray start --head"),
        (["cluster", "drain"], 2, "NODE"),
        (["metrics"], 2, "--config"),
        (["metrics", "--config", "missing.toml"], 3, "missing.toml"),
        (["bridge", "mqtt"], 2, "--config"),
        (["bridge", "mqtt", "--config", "missing.toml"], 3, "missing.toml"),
    ],
)
def test_what_is_wrong_is_named_and_no_traceback_shown(genrecast, tiny, args, status, words):
    model = ["--model", tiny] if args[0] == "run" and "--model" not in args else []

    done = genrecast(*args, *model)

    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hop = 'x'", "hop"),
        ("[[station]]\nid = 'a'\nsource = 'b.mp3'\nduty = 1.5", "duty"),
        ("[[station]]\nid = 'a'", "source"),
        ("[[station]]\nid = 'a'\nsource = 'x'\nsourse = 'y'", "sourse"),
        ("station = 5", "station"),
        ("[[station]]\nid = 'a'\nsource = 'x'\n[[station]]\nid = 'a'\nsource = 'y'", "twice"),
        ("= nonsense", "TOML"),
        ("x = " + "[" * 5000, "nested too deep"),
        ("[metrics]\nbind = 'nonsense'", "[metrics] bind"),
        ("[metrics]\nbind = '0.0.0.0:9567'", "token"),
        ("[mqtt]\nport = 0", "mqtt: port"),
        ("[mqtt]\ntopic = 'a/#'", "mqtt: topic"),
        ("[webhook]\n", "url"),
        ("[webhook]\nurl = 'https://x'\non = ['genre']", "webhook.on"),
        ("", "no station"),
        ("[[station]]\nid = 'a'\nsource = 'x'\ncharset = 'klingon'", "klingon"),
        ("".join(f"[[station]]\nid = '{i}'\nsource = 'stdin:'\n" for i in "ab"), "stdin"),
    ],
)
def test_config_is_checked(genrecast, tmp_path, text, words):
    path = tmp_path / "c.toml"
    path.write_text(text)

    done = genrecast("run", "--config", path)

    assert done.returncode == 3
    assert words in done.stderr
    assert "c.toml" in done.stderr


def test_several_stations_of_a_config_are_heard(genrecast, tiny, tmp_path):
    write(tmp_path / "a.wav", sound(5), codec="pcm_s16le")
    config = tmp_path / "c.toml"
    config.write_text(
        "bind = 'tcp://127.0.0.1:*'\nhop = 0.5\n"
        + "".join(f"[[station]]\nid = 's{i}'\nsource = '{tmp_path}/a.wav'\n" for i in range(3))
    )

    done = genrecast("run", "--config", config, "--model", tiny)

    assert done.returncode == 0
    for i in range(3):
        assert f"s{i}: stopped" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_the_daemon_cleanly_within_a_second(tiny, number):
    process = subprocess.Popen(
        daemon_command(tiny, "--source", "stdin:"),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "ready" in process.stderr.readline()
    started = time.perf_counter()

    process.send_signal(number)
    rest = process.communicate(timeout=10)[1]

    assert time.perf_counter() - started < 1.0
    assert process.returncode == 0
    assert "stopped" in rest
    assert "Traceback" not in rest


def test_pcm_on_standard_input(genrecast, tiny):
    pcm = (sound(5, 48_000) * 32767).astype("<i2")

    done = subprocess.run(
        daemon_command(tiny, "--source", "stdin:?rate=48000&channels=1"),
        input=pcm.tobytes(),
        capture_output=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 0
    assert b"source has come to its end" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_lists_it(command):
    assert f"`genrecast {command}" in (ROOT / "README.md").read_text()


def free_endpoint() -> str:
    return f"tcp://127.0.0.1:{free_port()}"


@pytest.mark.slow
def test_listen_shows_lines_and_json(tiny, tmp_path):
    path, endpoint = write(tmp_path / "a.wav", sound(6), codec="pcm_s16le"), free_endpoint()
    listeners = [
        subprocess.Popen(
            [sys.executable, "-m", "streamer.cli", "listen", "--connect", endpoint, *args],
            stdout=subprocess.PIPE,
            text=True,
        )
        for args in (["--json", "--topic", "genre/", "--count", "2"], ["--count", "3"])
    ]
    daemon = subprocess.Popen(
        daemon_command(tiny, "--bind", endpoint, "--source", f"file:{path}?pace=live", "--station", "tone"),
        stderr=subprocess.DEVNULL,
    )

    as_json, for_people = (listener.communicate(timeout=30)[0] for listener in listeners)
    daemon.terminate()
    daemon.wait(10)

    messages = [json.loads(line) for line in as_json.splitlines()]
    assert [message["kind"] for message in messages] == ["genre", "genre"]
    assert "tone" in for_people


@pytest.mark.slow
def test_listen_says_when_nobody_publishes():
    process = subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", "listen", "--connect", free_endpoint()],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "nothing is published" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)

    assert process.returncode == 0


def test_listen_ends_when_its_reader_goes(tiny, tmp_path):
    path, endpoint = write(tmp_path / "a.wav", sound(30), codec="pcm_s16le"), free_endpoint()
    daemon = subprocess.Popen(
        daemon_command(tiny, "--bind", endpoint, "--source", f"file:{path}?pace=live", "--hop", "0.2"),
        stderr=subprocess.DEVNULL,
    )
    read, written = os.pipe()
    listener = subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", "listen", "--json", "--connect", endpoint],
        stdout=written,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(written)
    os.read(read, 10)
    os.close(read)
    errors = listener.communicate(timeout=20)[1]
    daemon.terminate()
    daemon.wait(10)

    assert "Traceback" not in errors
    assert "Exception" not in errors


def test_doctor_says_what_works(genrecast, tiny):
    done = genrecast("doctor", "--model", tiny)

    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("model", "providers", "codecs", "sound card", "endpoint"):
        assert word in done.stdout
    assert "Traceback" not in done.stderr


def test_doctor_fails_on_a_broken_model(genrecast, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"no")

    done = genrecast("doctor", "--model", tmp_path / "broken.onnx")

    assert done.returncode == 1
    assert "broken.onnx" in done.stdout


def test_lines_come_while_listen_runs(tiny, tmp_path):
    path, endpoint = write(tmp_path / "a.wav", sound(30), codec="pcm_s16le"), free_endpoint()
    listener = subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", "listen", "--connect", endpoint],
        stdout=subprocess.PIPE,
        text=True,
    )
    running = subprocess.Popen(
        daemon_command(tiny, "--bind", endpoint, "--source", f"file:{path}?pace=live"),
        stderr=subprocess.DEVNULL,
    )
    assert listener.stdout is not None

    first = listener.stdout.readline()
    listener.terminate()
    status = listener.wait(10)
    listener.stdout.close()
    running.terminate()
    running.wait(10)

    assert "live" in first
    assert status == 0


@pytest.mark.slow
def test_demo_that_is_ended_leaves_no_daemon():
    demo = subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert demo.stdout is not None
    while "  demo  " not in (line := demo.stdout.readline()):
        assert line, "the demo ended"
    children = Path(f"/proc/{demo.pid}/task/{demo.pid}/children").read_text().split()

    demo.terminate()
    _, errors = demo.communicate(timeout=20)

    assert children
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert demo.returncode == 0
    assert errors == ""


def test_an_empty_argument_is_no_default(genrecast, tiny):
    """An unset variable in a script must not listen to the microphone, or read the working folder."""
    assert genrecast("run", "--model", tiny, "--source", "").returncode == 3
    assert genrecast("run", "--model", tiny, "--source", "stdin:", "--station", "").returncode == 3
    assert genrecast("classify", "--model", tiny, "").returncode == 2


def test_without_ray_the_cluster_says_what_to_install():
    hidden = "import sys; sys.modules['ray'] = None; from streamer.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", hidden, "cluster", "status"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)

    assert done.returncode == 3
    assert "pip install 'genrecast[cluster]'" in done.stderr
