"""When a service manager is spoken to, and when not."""

import os
import socket
from pathlib import Path

import pytest

from streamer.engine.notify import Notifier


@pytest.mark.parametrize(
    ("pid", "fed"), [(None, True), (str(os.getpid()), True), ("1", False)], ids=["any", "ours", "another's"]
)
def test_a_watchdog_is_fed_where_it_is_meant_for_this_process(tmp_path, monkeypatch, pid, fed):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", pid)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        notifier = Notifier()
        notifier.alive()
        notifier.stopping()
        first = manager.recv(100)
        notifier.close()

    assert first == (b"WATCHDOG=1" if fed else b"STOPPING=1")
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()


def test_without_a_manager_and_with_one_that_is_gone_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready()
    monkeypatch.setenv("NOTIFY_SOCKET", str(Path(tmp_path) / "gone"))
    gone = Notifier()
    gone.ready()
    gone.close()
