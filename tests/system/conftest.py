"""Real servers for tests: each starts, waits until it is ready, and is gone afterwards."""

import base64
import contextlib
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench import content
from bench.ports import free_port

READY_S = 15.0
EXAMPLES = Path(__file__).parents[2] / "examples"

CODECS = {  # ffmpeg's encoder, its container, the type that Icecast is told
    "mp3": ("libmp3lame", "mp3", "audio/mpeg"),
    "aac": ("aac", "adts", "audio/aac"),
    "opus": ("libopus", "ogg", "application/ogg"),
    "vorbis": ("libvorbis", "ogg", "application/ogg"),
    "flac": ("flac", "ogg", "application/ogg"),
}


def wait_until(
    ready: Callable[[], bool],
    what: str,
    process: subprocess.Popen | None = None,
    *,
    said: Callable[[], str] = lambda: "",
) -> None:
    """Ask again and again, for another program that has no way of telling us; `said` is told if in vain."""
    end = time.monotonic() + READY_S
    while not ready():
        if process is not None and process.poll() is not None:
            pytest.fail(f"{what}: ended with {process.returncode}. {said()}")
        if time.monotonic() > end:
            pytest.fail(f"{what}: not ready within {READY_S:g} s. {said()}")
        time.sleep(0.02)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def stop(process: subprocess.Popen, how: int = signal.SIGKILL) -> None:
    if process.poll() is None:
        process.send_signal(how)
    process.wait(10)


def which(program: str) -> str | None:
    """Find a program; sbin counts, where a user's PATH may lack it."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
    return shutil.which(program, path=path)


def need(*programs: str) -> None:
    missing = [program for program in programs if which(program) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (make setup installs them)")


class Icecast:
    """A real Icecast on loopback. `kill()` and `start()` restart it at the same port."""

    password = "hackme"

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen | None = None
        config = f"""<icecast>
          <limits><clients>100</clients><sources>20</sources><burst-size>65535</burst-size>
            <source-timeout>10</source-timeout></limits>
          <authentication><source-password>{self.password}</source-password>
            <admin-user>admin</admin-user><admin-password>{self.password}</admin-password></authentication>
          <hostname>127.0.0.1</hostname>
          <listen-socket><port>{self.port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
          <paths><logdir>{folder}</logdir><webroot>/usr/share/icecast2/web</webroot>
            <adminroot>/usr/share/icecast2/admin</adminroot></paths>
          <logging><errorlog>error.log</errorlog><accesslog>access.log</accesslog></logging>
        </icecast>"""
        (folder / "icecast.xml").write_text(config)

    def start(self) -> None:
        (self.folder / "error.log").unlink(missing_ok=True)
        command = ["icecast2", "-c", str(self.folder / "icecast.xml")]
        if os.geteuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("icecast2")
            os.chown(self.folder, user.pw_uid, -1)
            command = ["setpriv", f"--reuid={user.pw_uid}", "--clear-groups", *command]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        wait_until(self._has_begun, "icecast2", self._process, said=self.said)
        wait_until(lambda: self._answers("/admin/stats"), "icecast2", self._process, said=self.said)

    def kill(self) -> None:
        if self._process is not None:
            stop(self._process)

    def said(self) -> str:
        """Give whether it runs, and the end of its log."""
        status = None if self._process is None else self._process.poll()
        runs = "icecast2 runs" if status is None else f"icecast2 ended with {status}"
        log = self.folder / "error.log"
        return f"{runs}: {log.read_text(errors='replace')[-1500:] if log.exists() else 'no log'}"

    def url(self, mount: str) -> str:
        return f"http://127.0.0.1:{self.port}/{mount}"

    @contextlib.contextmanager
    def source(
        self, mount: str, codec: str = "mp3", rate: int = 44_100, *, audio: str = "sine=frequency=440"
    ) -> Iterator[str]:
        """Play to a mount in real time as long as the context lasts; gives the mount's URL.

        `rate` is that of the audio; Opus itself is always at 48 kHz.
        `audio` is an ffmpeg lavfi graph, or the path of a file that is played over and over.
        """
        encoder, container, content_type = CODECS[codec]
        played = ["-stream_loop", "-1", "-i", audio] if Path(audio).exists() else ["-f", "lavfi", "-i", audio]
        target = f"icecast://source:{self.password}@127.0.0.1:{self.port}/{mount}"
        often = ["-flush_packets", "1"] + (["-page_duration", "200000"] if container == "ogg" else [])
        process = subprocess.Popen(
            ["ffmpeg", "-v", "error", "-nostdin", "-re", *played, "-ac", "2", "-af", f"aresample={rate}",
             "-ar", "48000" if codec == "opus" else str(rate), "-c:a", encoder, "-b:a", "128k",
             *often, "-content_type", content_type, "-f", container, target],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until(lambda: self.has(mount), f"ffmpeg to /{mount}", process, said=self.said)
            yield self.url(mount)
        finally:
            stop(process)
            wait_until(lambda: not self.has(mount), f"/{mount} to go")

    def _has_begun(self) -> bool:
        """Say whether all its threads wait for something: asked before, 2.4.4 may end by SIGSEGV."""
        assert self._process is not None
        try:
            if "get_ssl_certificate" not in (self.folder / "error.log").read_text(errors="replace"):
                return False
            threads = Path(f"/proc/{self._process.pid}/task").glob("*/stat")
            return all(stat.read_text().rpartition(")")[2].split()[0] == "S" for stat in threads)
        except OSError:  # no log yet, or a thread that has ended
            return False

    def has(self, mount: str) -> bool:
        return self._answers(f"/admin/listclients?mount=/{mount}")

    def _answers(self, path: str) -> bool:
        try:
            with self._ask(path):
                return True
        except (urllib.error.HTTPError, OSError):
            return False

    def title(self, mount: str, text: str, *, charset: str = "UTF-8") -> None:
        """Set the title that listeners of an MP3 or AAC mount see."""
        query = {"mount": f"/{mount}", "mode": "updinfo", "charset": charset}
        song = urllib.parse.quote(text.encode(charset))
        with self._ask(f"/admin/metadata?{urllib.parse.urlencode(query)}&song={song}"):
            pass

    def _ask(self, path: str) -> contextlib.closing:
        token = base64.b64encode(f"admin:{self.password}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Basic {token}"}
        )
        try:
            return contextlib.closing(urllib.request.urlopen(request, timeout=5))
        except urllib.error.HTTPError as error:
            error.close()
            raise


class PulseAudio:
    """A real sound server of our own, with one null sink `radio` whose monitor is the default input.

    `env` is what a program needs to use it; `kill()` and `start()` restart it under the same address.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = folder / "pa.sock"
        self._process: subprocess.Popen | None = None
        (folder / ".asoundrc").write_text("pcm.!default { type pulse }\nctl.!default { type pulse }\n")
        self.env = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_SOURCE": "radio.monitor",
            "PULSE_SINK": "radio",
        }

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
             "-L", "module-null-sink sink_name=radio",
             "-L", f"module-native-protocol-unix socket={self._socket} auth-anonymous=1"],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self._answers, "pulseaudio", self._process)

    def kill(self) -> None:
        if self._process is not None:
            stop(self._process)
        self._socket.unlink(missing_ok=True)

    def _answers(self) -> bool:
        asked = subprocess.run(
            ["pactl", "list", "short", "sources"], env=self.env, capture_output=True, text=True, check=False
        )
        return "radio.monitor" in asked.stdout

    @contextlib.contextmanager
    def play(self, wav: Path) -> Iterator[None]:
        """Play a file to the sink as long as the context lasts."""
        process = subprocess.Popen(
            ["paplay", "--device=radio", str(wav)],
            env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            stop(process)


class Mosquitto:
    """A real MQTT broker on loopback that forgets everything when it ends. `kill()` and `start()` restart it.

    Args:
        folder: for its files.
        lines: further ones of its configuration.
    """

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self._file = folder / "mosquitto.conf"
        lines = lines or ("allow_anonymous true",)
        self._file.write_text("\n".join([f"listener {self.port} 127.0.0.1", "user root", *lines]) + "\n")
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [str(which("mosquitto")), "-c", str(self._file)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda: answers(self.port), "mosquitto", self._process)

    def kill(self) -> None:
        if self._process is not None:
            stop(self._process)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Starts brokers, each with further lines of its configuration."""
    need("mosquitto")
    started: list[Mosquitto] = []

    def start(*lines: str) -> Mosquitto:
        started.append(Mosquitto(tmp_path, *lines))
        started[-1].start()
        return started[-1]

    yield start
    for broker in started:
        broker.kill()


class Prometheus:
    """A real Prometheus on loopback with the example's configuration, in a hurry."""

    def __init__(self, folder: Path, target: str) -> None:
        config = (EXAMPLES / "prometheus" / "prometheus.yml").read_text()
        config = config.replace("127.0.0.1:9567", target).replace("15s", "1s")
        (folder / "prometheus.yml").write_text(config)
        shutil.copy(EXAMPLES / "prometheus" / "alerts.yml", folder)
        self._folder, self._port = folder, free_port()
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={self._folder}/prometheus.yml",
             f"--storage.tsdb.path={self._folder}/data", f"--web.listen-address=127.0.0.1:{self._port}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(lambda: answers(self._port), "prometheus", self._process)

    def kill(self) -> None:
        if self._process is not None:
            stop(self._process)

    def ask(self, path: str, **query: str) -> Any:
        """Ask its API; give the data of the answer."""
        url = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)["data"]


@pytest.fixture
def ffmpeg() -> Callable[..., None]:
    """Runs ffmpeg with arguments, quietly, to its end."""
    need("ffmpeg")

    def run(*arguments: object) -> None:
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
        subprocess.run(command, check=True, timeout=60)

    return run


@pytest.fixture(scope="session")
def programme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `bench.radio` plays."""
    folder = tmp_path_factory.mktemp("content")
    content.make(folder, content.DEFAULT)
    return folder


@pytest.fixture
def icecast() -> Iterator[Icecast]:
    need("icecast2", "ffmpeg")
    with tempfile.TemporaryDirectory(prefix="icecast-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # pytest's own folders can't be entered by Icecast's user
        server = Icecast(folder)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture
def pulseaudio() -> Iterator[PulseAudio]:
    need("pulseaudio", "pactl", "paplay")
    with tempfile.TemporaryDirectory(prefix="pulse-") as name:
        server = PulseAudio(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.kill()
