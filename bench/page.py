"""How quick is the page with many stations, and what does it cost to keep it up to date?

A bus with so many stations, of which each answers once a second, the page's own process, and a headless
Chromium that looks at it. First paint is the browser's own figure for the moment at which the first rows
are seen, counted from the request; a search takes from a key to the frame with the rows that it leaves, and
scrolling from a leap to the frame with the rows that are there. CPU is told in percent of one core, while
nobody touches anything, memory in MiB.

With --daemons the stations are those of so many daemons behind a gateway, beside which the page, history
and metrics run, and somebody listens at a terminal. Told are also how many messages all of these say that
they lost, and of how many stations the metrics have not heard.
"""

import argparse
import fcntl
import json
import os
import pty
import re
import statistics
import struct
import subprocess
import sys
import termios
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.daemon import command_of, cpu_s, memory_kb, tree
from bench.ports import free_port

ROOT = Path(__file__).parents[1]
STATIONS = 1000
SECONDS = 20.0
LOOKS = 5  # of which the median is told
SETTLE_S = 5.0
ATTENDANTS = ("page", "history", "metrics")
GENRECAST, ON_AIR = ("streamer.cli",), ("tests.page.on_air",)
SCREEN = (50, 160)  # lines and columns of the terminal
# The browser's own figure, and when the first row was there.
FIRST_PAINT = """() => new Promise((done) => {
    const paint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null;
    const look = () => document.querySelector("#rows a") === null
        ? requestAnimationFrame(look)
        : requestAnimationFrame(() => setTimeout(() => done([paint(), performance.now()])));
    look();
})"""
# From what is done to the end of the frame that shows it.
SHOWN = """(what) => new Promise((done) => {
    const began = performance.now();
    const filter = document.getElementById("filter");
    if (what.words === undefined) scrollTo(0, what.to * document.body.scrollHeight);
    else { filter.value = what.words; filter.dispatchEvent(new Event("input")); }
    requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
})"""


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    from playwright.sync_api import sync_playwright

    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        if options.daemons:
            running = stack.enter_context(_gateway(folder, options.stations, options.daemons))
        else:
            running = stack.enter_context(_alone(folder, options.stations))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        stack.callback(browser.close)
        looks = [_look(browser, running.url) for _ in range(LOOKS)]
        tab = _open(browser, running.url)
        time.sleep(SETTLE_S)
        found = _cost(browser, running.pids, options.seconds)
        result = {
            "first_paint_ms": round(statistics.median(paint for paint, _ in looks)),
            "first_rows_ms": round(statistics.median(rows for _, rows in looks)),
            "search_ms": _shown(tab, [{"words": words} for words in ("j", "ja", "jazz", "jazz 9", "")]),
            "scroll_ms": _shown(tab, [{"to": n % 7 / 7} for n in range(1, 14)]),
            **found,
            **running.missed(),
        }
    what = "ms from the request to the first paint and the first rows; percent of a core while it is watched"
    print(json.dumps({"bench": "page", "what": what, "stations": options.stations, **result}))
    return 0


class Running(NamedTuple):
    """What is measured.

    Attributes:
        url: of the page.
        pids: processes by what they are, each with those that it has begun.
        missed: gives what has not reached them, as they tell.
    """

    url: str
    pids: Mapping[str, int]
    missed: Callable[[], dict[str, Any]]


@contextmanager
def _alone(folder: Path, stations: int) -> Iterator[Running]:
    """Have a bus, and the page beside it."""
    endpoint = f"ipc://{folder}/bus"
    with (
        _process(*ON_AIR, endpoint, str(stations)),
        _process(
            *GENRECAST, "page", "--connect", endpoint, "--bind", "127.0.0.1:0", stderr=subprocess.PIPE
        ) as page,
    ):
        assert page.stderr is not None
        url = page.stderr.readline().decode().split()[-1]
        time.sleep(SETTLE_S)
        yield Running(url, {"page": page.pid}, lambda: {})


@contextmanager
def _gateway(folder: Path, stations: int, daemons: int) -> Iterator[Running]:
    """Have daemons behind a gateway, and all that attends to it."""
    inlet, outlet = f"ipc://{folder}/inlet", f"ipc://{folder}/outlet"
    page, metrics = (f"127.0.0.1:{free_port()}" for _ in range(2))
    config, log = folder / "gateway.toml", folder / "log"
    config.write_text(
        f"bind = '{outlet}'\n[gateway]\naccept = '{inlet}'\n[page]\nbind = '{page}'\n"
        f"[history]\npath = '{folder}/history.sqlite'\n[metrics]\nbind = '{metrics}'\n"
    )
    with ExitStack() as stack:
        words = *GENRECAST, "gateway", "--quiet", "--config", str(config)
        gateway = stack.enter_context(_process(*words, stderr=stack.enter_context(log.open("w"))))
        each = -(-stations // daemons)
        for first in range(0, stations, each):
            count = min(each, stations - first)
            at = f"ipc://{folder}/bus{first}"
            stack.enter_context(_process(*ON_AIR, at, str(count), str(first), inlet))
        time.sleep(SETTLE_S)
        listen, said = stack.enter_context(_terminal(*GENRECAST, "listen", "--connect", outlet))
        time.sleep(SETTLE_S)
        attendants = {
            name: pid for name in ATTENDANTS for pid in tree(gateway.pid) if name in command_of(pid)
        }

        def missed() -> dict[str, Any]:
            text = log.read_text() + said.decode(errors="replace")
            lost = Counter[str]()
            for count, who in re.findall(r"(\d+) message\(s\) were lost on the way to \W*(\w+)", text):
                lost["listen" if who == "us" else who] += int(count)
            unheard = re.match(r"\d+", _answer(f"http://{metrics}/readyz"))
            return {"lost": dict(lost), "unheard": int(unheard[0]) if unheard else 0}

        yield Running(f"http://{page}/", {"gateway": gateway.pid, **attendants, "listen": listen.pid}, missed)


@contextmanager
def _process(*command: str, **streams: Any) -> Iterator["subprocess.Popen[Any]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, **{"stdout": subprocess.DEVNULL} | streams
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def _terminal(*command: str) -> Iterator[tuple["subprocess.Popen[Any]", bytearray]]:
    """Run a command at a terminal; gives what it writes there, too."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", *SCREEN, 0, 0))
    said = bytearray()

    def read() -> None:
        with suppress(OSError):
            while data := os.read(ours, 65536):
                said.extend(data)

    threading.Thread(target=read, daemon=True).start()
    with _process(*command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        yield process, said


def _answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url) as answer:
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as error:
        return error.read().decode()


def _open(browser: Any, url: str) -> Any:
    tab = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    tab.goto(url, wait_until="commit")
    return tab


def _look(browser: Any, url: str) -> tuple[float, float]:
    tab = _open(browser, url)
    paint, rows = tab.evaluate(FIRST_PAINT)
    tab.context.close()
    return paint, rows


def _shown(tab: Any, doings: list[dict[str, Any]]) -> int:
    """Give the median time until what is done is shown, in ms."""
    took: list[float] = [tab.evaluate(SHOWN, doing) for doing in doings]
    return round(statistics.median(took))


def _cost(browser: Any, pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Give what each process, and each kind of the browser's, takes of a core and of memory."""
    session = browser.new_browser_cdp_session()

    def spent() -> dict[str, float]:
        seconds = {name: cpu_s(pid) for name, pid in pids.items()}
        for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
            name = process["type"].lower()
            seconds[name] = seconds.get(name, 0.0) + process["cpuTime"]
        return seconds

    before, began = spent(), time.monotonic()
    time.sleep(seconds)
    after, took = spent(), time.monotonic() - began
    cost = {
        f"{name}_cpu_percent": round(100 * (after.get(name, 0.0) - before.get(name, 0.0)) / took, 1)
        for name in (*pids, "renderer", "gpu", "browser")
    }
    return cost | {f"{name}_mb": round(memory_kb(pid)[1] / 1024) for name, pid in pids.items()}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--stations", type=int, default=STATIONS, metavar="N")
    parser.add_argument("--daemons", type=int, default=0, metavar="N", help="have them behind a gateway")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="S", help="for which CPU is counted"
    )
    parser.add_argument("--browser", default="/usr/bin/chromium", metavar="PATH", help="a Chromium")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
