"""A bus that the tests speak on, the page's own process beside it, and a real browser."""

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamer.flow import TrackVerdict, Verdict
from streamer.publish.bus import Bus
from streamer.publish.messages import Heartbeat, utc
from streamer.publish.reporter import Reporter
from tests.page.on_air import LABELS
from tests.system.conftest import need

ROOT = Path(__file__).parents[2]


class Air:
    """A daemon's voice: a real bus on a loop of its own, which says what it is told to."""

    def __init__(self, boot: str = "b00t", endpoint: str = "tcp://127.0.0.1:*") -> None:
        self.boot, self._loop = boot, asyncio.new_event_loop()
        self._reporters: dict[str, Reporter] = {}
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.demand: frozenset[str] = frozenset()
        self.bus = self._do(lambda: Bus(endpoint))
        self._do(lambda: self.bus.start(lambda demand: setattr(self, "demand", demand)))

    def _do(self, act: Callable[[], Any]) -> Any:
        async def main() -> Any:
            return act()

        return asyncio.run_coroutine_threadsafe(main(), self._loop).result(5)

    def reporter(self, station: str) -> Reporter:
        return self._reporters.setdefault(station, Reporter(self.bus, station, self.boot, LABELS))

    def says(
        self, station: str, what: str, confidence: float = 0.8, title: str | None = None, ago_s: float = 0.0
    ) -> None:
        """Say what a station plays: a genre or a state."""
        music = what in LABELS and what not in ("speech", "noise")
        verdict = Verdict("music" if music else what, what if music else None, confidence, 0.0, 1.0, None)
        now = time.time() - ago_s
        self._do(
            lambda: self.reporter(station).genre(verdict, None, time=now, now=now, hop_s=1.0, title=title)
        )

    def status(self, station: str, event: str, reason: str = "ok", detail: str = "") -> None:
        now = time.time()
        self._do(lambda: self.reporter(station).status(event, now=now, reason=reason, detail=detail))

    def track(self, station: str, title: str, genre: str = "jazz") -> None:
        verdict = TrackVerdict(title, 0.0, 200.0, genre, 0.9, None, {"music": 1.0}, 200)
        now = time.time()
        self._do(lambda: self.reporter(station).track(verdict, start=now - 200, end=now))

    def heartbeat(self) -> None:
        beat = Heartbeat(
            station="-", seq=0, boot=self.boot, time=utc(time.time()), version="9.9", model="default",
            provider="cpu", uptime=1.0, stations={}, cpu=0.1, rss_mb=1.0, lag_ms_p50=1.0, lag_ms_p99=1.0,
            windows=0, dropped=0, hop_stretch=1.0, workers=1, restarts=0, attendants={}, cpu_by_stage={},
        )  # fmt: skip
        self._do(lambda: self.bus.send(beat))

    def send(self, message: Any) -> None:
        self._do(lambda: self.bus.send(message))

    def close(self) -> None:
        if self._loop.is_closed():
            return
        self._do(self.bus.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class PageProcess:
    """`genrecast page`, and where it is."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streamer.cli", "page", *arguments],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.said = self.process.stderr.readline()
        self.url = self.said.split()[-1]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def air() -> Iterator[Air]:
    speaking = Air()
    yield speaking
    speaking.close()


@pytest.fixture(scope="module")
def page(air: Air) -> Iterator[PageProcess]:
    process = PageProcess("--connect", air.bus.endpoint, "--bind", "127.0.0.1:0")
    yield process
    process.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; its loop runs in our thread for as long as it is there, and no other can."""
    need("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def look(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens an address in a window of its own; whatever the page complains of fails the test."""
    complaints: list[str] = []
    with contextlib.ExitStack() as windows:

        def open_(url: str, *, width: int = 1280, height: int = 800, **more: Any) -> Any:
            context = windows.enter_context(
                contextlib.closing(chromium.new_context(viewport={"width": width, "height": height}, **more))
            )
            tab = context.new_page()
            tab.on("pageerror", lambda error: complaints.append(str(error)))
            tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            tab.goto(url)
            return tab

        open_.complaints = complaints
        yield open_
    assert complaints == []
