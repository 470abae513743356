"""Who has no key on the list has no message: seen from real subscribers on real sockets."""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from streamer.errors import KeysError
from streamer.publish import gate
from streamer.publish.bus import Bus
from streamer.publish.keys import (
    ALLOW_FILE,
    KEY_FILE,
    AllowList,
    ClientKeys,
    Key,
    ServerKeys,
    allow,
    make_key,
    own_keys,
    server_keys,
)
from streamer.publish.reporter import Reporter
from streamer.publish.subscribe import Subscriber
from streamer.sections import SecurityConfig
from tests.fuzz.mutate import make_input
from tests.tiny_model import LABELS

pytestmark = pytest.mark.slow  # each starts processes or waits; together too long for `make quick`

PATIENCE_S = 10.0


class Server:
    """A bus with keys on a loop of its own, which tells of a station all the time."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.key = make_key(folder / "server")
        self.list = folder / "server" / ALLOW_FILE
        self._endpoint, self._ready = endpoint, threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()))
        self._thread.start()
        self._ready.wait()

    async def _main(self) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self.bus = Bus(self._endpoint, keys=ServerKeys(self.key, AllowList(self.list)))
        self.bus.start()
        reporter = Reporter(self.bus, "a", "b00t", LABELS)
        self._ready.set()
        while not self._stop.is_set():
            reporter.status("connected", now=time.time())
            await asyncio.sleep(0.02)
        self.bus.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@pytest.fixture(params=["tcp", "ipc"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    monkeypatch.setattr(gate, "LOOK_S", 0.1)
    made = Server(tmp_path, "tcp://127.0.0.1:*" if request.param == "tcp" else f"ipc://{tmp_path}/bus")
    yield made
    made.close()


@contextlib.contextmanager
def subscribed(server: Server, keys: ClientKeys | None) -> Iterator[Subscriber]:
    subscriber = Subscriber(server.bus.endpoint, keys=keys)
    try:
        yield subscriber
    finally:
        subscriber.close()


def hears(subscriber: Subscriber, within_s: float = PATIENCE_S) -> bool:
    end = time.monotonic() + within_s
    for message in subscriber.messages():
        if message is not None or time.monotonic() > end:
            return message is not None
    return False


def client_key(folder: Path) -> Key:
    return make_key(folder / "client")


def test_who_is_on_the_list_hears(server: Server, tmp_path: Path) -> None:
    key = client_key(tmp_path)
    allow(server.list, key.public, "me")

    with subscribed(server, ClientKeys(key, server.key.public)) as subscriber:
        assert hears(subscriber)


def test_who_has_no_key_hears_nothing_and_it_is_told(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with subscribed(server, None) as subscriber:
        assert not hears(subscriber, 0.5)

    assert "no key" in caplog.text


def test_who_takes_another_for_the_daemon_hears_nothing(server: Server, tmp_path: Path) -> None:
    key = client_key(tmp_path)
    allow(server.list, key.public, "me")

    with subscribed(server, ClientKeys(key, key.public)) as subscriber:
        assert not hears(subscriber, 0.5)


def test_who_is_not_on_the_list_hears_nothing_until_allowed(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = client_key(tmp_path)

    with subscribed(server, ClientKeys(key, server.key.public)) as subscriber:
        assert not hears(subscriber, 0.5)
        assert f"its key {key.public.hex()} is not in" in caplog.text
        assert f"it doesn't allow the key {key.public.hex()}" in caplog.text

        allow(server.list, key.public, "me")

        assert hears(subscriber)


def test_who_is_taken_off_the_list_is_cut_off_and_the_others_come_back(
    server: Server, tmp_path: Path
) -> None:
    keys = [make_key(tmp_path / name) for name in ("stays", "goes")]
    for key in keys:
        allow(server.list, key.public, "somebody")
    with (
        subscribed(server, ClientKeys(keys[0], server.key.public)) as stays,
        subscribed(server, ClientKeys(keys[1], server.key.public)) as goes,
    ):
        assert hears(stays)
        assert hears(goes)

        server.list.write_text(f"{keys[0].public.hex()} stays\n")

        end = time.monotonic() + PATIENCE_S
        while hears(goes, 0.5) and time.monotonic() < end:
            pass
        assert not hears(goes, 0.5)
        assert hears(stays)


def test_a_list_that_can_no_longer_be_read_stays_what_it_was(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key = client_key(tmp_path)
    allow(server.list, key.public, "me")
    with subscribed(server, ClientKeys(key, server.key.public)) as subscriber:
        assert hears(subscriber)

    server.list.write_text("nonsense\n")

    with subscribed(server, ClientKeys(key, server.key.public)) as subscriber:
        assert hears(subscriber)
    assert "line 1" in caplog.text


def test_the_parts_of_a_daemon_come_in_with_its_own_key(server: Server) -> None:
    security = SecurityConfig(server_key=str(server.list.parent / KEY_FILE), allow=str(server.list))

    with subscribed(server, own_keys(security)) as subscriber:
        assert hears(subscriber)
    assert own_keys(SecurityConfig()) is None


def test_refused_ones_that_come_again_and_again_are_one_line(
    server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b", "c"):
        with subscribed(server, ClientKeys(make_key(tmp_path / name), server.key.public)) as subscriber:
            hears(subscriber, 0.4)

    assert len([r for r in caplog.records if r.name == gate.log.name and r.levelno == logging.WARNING]) == 1


def test_rubbish_on_the_socket_harms_nobody(tmp_path: Path) -> None:
    """ZMTP greetings and handshakes that are none, and connections that say nothing."""
    server = Server(tmp_path, "tcp://127.0.0.1:*")
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
    hello = b"\x04\xc8\x05HELLO" + bytes(194)
    port = int(server.bus.endpoint.rpartition(":")[2])
    try:
        with contextlib.ExitStack() as stack:
            for number in range(200):
                peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
                with contextlib.suppress(OSError):
                    peer.sendall(make_input("zmtp", [greeting, greeting + hello, b""], number))
            with subscribed(server, ClientKeys(server.key, server.key.public)) as subscriber:
                assert hears(subscriber)
    finally:
        server.close()


def test_nobody_comes_in_while_nobody_answers(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    allow(tmp_path / ALLOW_FILE, key.public, "me")
    bus = Bus("tcp://127.0.0.1:*", keys=ServerKeys(key, AllowList(tmp_path / ALLOW_FILE)))
    try:
        with zmq.Context() as context, context.socket(zmq.SUB) as late:
            ClientKeys(key, key.public).apply(late)
            late.subscribe("")
            late.connect(bus.endpoint)
            time.sleep(0.3)
            bus.publish([(b"genre/a/", b"{}")])
            assert not late.poll(300)
    finally:
        bus.close()


def test_keys_open_what_other_machines_can_reach(tmp_path: Path) -> None:
    make_key(tmp_path)
    security = SecurityConfig(server_key=str(tmp_path / KEY_FILE), allow=str(tmp_path / ALLOW_FILE))

    Bus("tcp://0.0.0.0:*", keys=server_keys(security)).close()


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path)
    path = tmp_path / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)

    with pytest.raises(KeysError, match="others can read") as caught:
        Key.load(path)
    assert "chmod 600" in caught.value.remedy


def test_a_list_that_others_can_write_is_refused(tmp_path: Path) -> None:
    make_key(tmp_path)
    path = tmp_path / ALLOW_FILE
    path.chmod(0o622)

    with pytest.raises(KeysError, match="others can write"):
        AllowList(path)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    first = make_key(tmp_path)

    with pytest.raises(KeysError, match="already"):
        make_key(tmp_path)
    assert Key.load(tmp_path / KEY_FILE) == first


@pytest.mark.parametrize("text", ["", "zz", "0" * 63, "0" * 64 + "\n" + "1" * 64, "\0" * 200, "\u00e9"])
def test_a_file_that_holds_no_key_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.key"
    path.write_text(text, encoding="latin-1")
    path.chmod(0o600)

    with pytest.raises(KeysError, match=r"some\.key"):
        Key.load(path)
