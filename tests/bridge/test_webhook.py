"""What a receiver gets, and what becomes of messages while it fails; a real HTTP server and a real bus."""

import base64
import contextlib
import hashlib
import hmac
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.ports import free_port
from streamer import backoff
from streamer.bridge import webhook
from streamer.bridge.webhook import Queue, Webhook, signing_key
from streamer.config import Config
from streamer.errors import ConfigError, WebhookError
from streamer.flow import TrackVerdict, Verdict
from streamer.publish.bus import Bus
from streamer.publish.reporter import Reporter
from streamer.sections import WebhookConfig
from streamer.text import printable
from tests.attending import ROOT, Attended, attending
from tests.publish.test_bus import running
from tests.system.conftest import answers, wait_until
from tests.tiny_model import LABELS

pytestmark = pytest.mark.slow  # each starts processes or waits; together too long for `make quick`

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
HOSTILE = "\x1b[31m</script>\r\nX-Evil: 1 \N{PILE OF POO} {{ 7*7 }}"
MESSAGE = {"boot": "b", "kind": "change", "station": "s", "seq": 0}
TRACK = TrackVerdict("A - B", 0.0, 60.0, "jazz", 0.9, None, {"music": 1.0}, 60)
Change = Callable[[int], None]


class Receiver:
    """A server that answers POSTs with `answers`, one after the other, and 204 from there on."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[tuple[dict[str, str], bytes]] = []
        self._news = threading.Condition()
        self._port = 0
        self.start()

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.take({**headers, ":path": self.path}, body))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_port
        self.url = f"http://127.0.0.1:{self._port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        with self._news:
            status = self.answers.pop(0) if self.answers else 204
            if status < 300:
                self.got.append((headers, body))
                self._news.notify_all()
            return status

    def bodies(self, count: int) -> list[dict]:
        """Wait for so many messages."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.got) >= count, 30), f"{len(self.got)} of {count}"
            return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.stop()


@contextmanager
def posting(receiver: Receiver, url: str = "", **config: object) -> Iterator[tuple[Change, Attended]]:
    """Run the bridge; give what makes a station change its mind so many times, and the bridge.

    A track that ended before is the first that it posts: so it is known that it hears.
    """
    reporters: list[Reporter] = []
    made = 0

    def begin(bus: Bus) -> None:
        reporters.append(Reporter(bus, "kexp", "b00t", LABELS))
        reporters[0].track(TRACK, start=1e9 - 60, end=1e9)
        change(1)  # a first word is no change

    def change(times: int) -> None:
        nonlocal made
        for _ in range(times):
            made += 1
            verdict = Verdict(("music", "speech")[made % 2], None, 0.5, 0.0, float(made), None)
            reporters[0].genre(verdict, None, time=1e9 + made, now=1e9 + made, hop_s=1.0, title=HOSTILE)

    section = WebhookConfig(url=url or receiver.url, **config)
    with running(begin) as bus, attending("webhook", Config(webhook=section), bus.endpoint) as attended:
        (track,) = receiver.bodies(1)
        assert track["kind"] == "track"
        receiver.got.clear()
        assert bus._loop is not None
        yield lambda times: bus._loop.call_soon_threadsafe(change, times), attended


def test_a_change_is_posted_signed_as_standard_webhooks_has_it(receiver):
    with posting(receiver, f"{receiver.url}/a?key=b", secret=SECRET) as (change, attended):
        change(1)
        (body,) = receiver.bodies(1)
        attended.well("posts to 127.0.0.1")

    headers, raw = receiver.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
    digest = hmac.new(b"k" * 24, signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["webhook-id"] == "b00t-change-kexp-0"
    assert headers[":path"] == "/a?key=b"
    assert (body["kind"], body["title"]) == ("change", printable(HOSTILE))
    assert "x-evil" not in headers


def test_what_fails_is_tried_again_until_it_is_there_and_nothing_overtakes_it(receiver):
    with posting(receiver) as (change, attended):
        receiver.answers = [500, 302]
        change(3)
        attended.trouble("webhook", "answered 500")
        attended.trouble("webhook", "answered 302")
        attended.well()
        bodies = receiver.bodies(3)

    assert [body["seq"] for body in bodies] == [0, 1, 2]


def test_a_receiver_that_goes_and_comes_back_misses_nothing(receiver):
    with posting(receiver) as (change, attended):
        receiver.stop()
        change(2)
        attended.trouble("webhook", "127.0.0.1")
        receiver.start()
        bodies = receiver.bodies(2)

    assert [body["seq"] for body in bodies] == [0, 1]


def test_a_message_that_the_receiver_refuses_is_counted_and_the_next_one_comes(receiver):
    with posting(receiver) as (change, attended):
        receiver.answers = [422]
        change(2)
        attended.trouble("webhook", "answered 422")
        attended.well("1 lost so far")
        (body,) = receiver.bodies(1)

    assert body["seq"] == 1


def test_the_newest_wait_and_what_is_lost_beyond_them_is_counted(receiver, monkeypatch):
    monkeypatch.setattr(webhook, "WAITING", 10)
    monkeypatch.setattr(backoff, "FIRST_S", 0.0)
    receiver.answers = [503]
    said = []
    queue = Queue(Webhook(WebhookConfig(url=receiver.url)), lambda code, detail: said.append(detail))
    for seq in range(15):
        queue.put(MESSAGE | {"seq": seq})
    queue.post(missed=2)

    assert said[0] == "127.0.0.1 answered 503; 10 waiting, 7 lost so far"
    assert said[-1] == "posts to 127.0.0.1, 7 lost so far"
    assert [body["seq"] for body in receiver.bodies(10)] == list(range(5, 15))


def test_an_attempt_has_its_own_deadline_whatever_the_receiver_does(monkeypatch):
    monkeypatch.setattr(webhook, "DEADLINE_S", 0.5)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        while True:
            connection.sendall(b"y")
            time.sleep(0.02)

    with answering(drip) as url, pytest.raises(WebhookError, match=r"no answer within 0\.5 s"):
        Webhook(WebhookConfig(url=url)).post(MESSAGE)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000])
def test_an_answer_that_is_none_is_an_error_with_a_sentence(answer):
    with (
        answering(lambda connection: connection.sendall(answer)) as url,
        pytest.raises(WebhookError, match=r"^127\.0\.0\.1: \w"),
    ):
        Webhook(WebhookConfig(url=url)).post(MESSAGE)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection in a way of one's own; give the URL."""

    def serve() -> None:
        with contextlib.suppress(OSError), server.accept()[0] as connection:
            connection.recv(65536)
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        thread.join()


def test_the_example_takes_what_is_signed_and_nothing_else():
    port = free_port()
    example = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "webhook_receive.py"), str(port), SECRET],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        wait_until(lambda: answers(port), "the example", example)
        url = f"http://127.0.0.1:{port}/"
        Webhook(WebhookConfig(url=url, secret=SECRET)).post(MESSAGE | {"title": "A - B"})
        other = "whsec_" + base64.b64encode(b"x" * 24).decode()
        with pytest.raises(WebhookError, match="answered 401"):
            Webhook(WebhookConfig(url=url, secret=other)).post(MESSAGE)
        assert example.stdout.readline() == "b-change-s-0 s A - B\n"
    finally:
        example.kill()
        example.communicate()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_bridge_runs_by_hand_and_ends_cleanly_when_asked_to(receiver, tmp_path, how):
    with running(lambda bus: Reporter(bus, "kexp", "b00t", LABELS).track(TRACK, start=0.0, end=60.0)) as bus:
        (tmp_path / "c.toml").write_text(
            f"bind = '{bus.endpoint}'\n[webhook]\nurl = '{receiver.url}'\n"
            "[[station]]\nid = 'kexp'\nsource = 'http://127.0.0.1/'\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "streamer.cli", "bridge", "webhook", "--config", tmp_path / "c.toml"],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        (track,) = receiver.bodies(1)
        said = process.stderr.readline()
        process.send_signal(how)
        _, rest = process.communicate(timeout=10)

    assert track["kind"] == "track"
    assert said == "webhook: posts to 127.0.0.1\n"
    assert (process.returncode, rest) == (0, "")


def test_nothing_of_the_url_but_its_host_is_said(receiver):
    url = receiver.url.replace("//", "//user:pa55word@") + "/t0ken?key=s3cret"
    with posting(receiver, url) as (change, attended):
        receiver.answers = [401]
        change(1)
        attended.trouble("webhook", "answered 401")
        attended.well()
        log = attended.end()

    assert receiver.got[0][0]["authorization"] == "Basic " + base64.b64encode(b"user:pa55word").decode()
    told = log + "".join(detail for _, detail in attended.said)
    assert not [word for word in ("pa55word", "t0ken", "s3cret") if word in told]


@pytest.mark.parametrize("url", ["http://", "http://x:99999/pa55", "http://[::1/pa55", "https:///pa55"])
def test_a_url_that_is_none_is_told_without_being_shown(url):
    with pytest.raises(ConfigError) as told:
        Webhook(WebhookConfig(url=url))

    assert "pa55" not in told.value.message


@pytest.mark.parametrize("secret", ["", "plain", "whsec_", "whsec_!!!", SECRET.removeprefix("whsec_")])
def test_a_secret_that_is_none_is_told_without_being_shown(secret):
    with pytest.raises(ConfigError, match="whsec_") as told:
        signing_key(secret)

    assert "plain" not in told.value.message
