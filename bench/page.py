"""How quick is the page with many stations, and what does it cost to keep it up to date?

A bus with so many stations, of which each answers once a second, the page's own process, and a headless
Chromium that looks at it. First paint is the browser's own figure for the moment at which the first rows
are seen, counted from the request. CPU is told in percent of one core, while nobody touches anything.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
STATIONS = 1000
SECONDS = 20.0
LOOKS = 5  # of which the median is told
SETTLE_S = 5.0
# The browser's own figure, and when the first row was there.
FIRST_PAINT = """() => new Promise((done) => {
    const paint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null;
    const look = () => document.querySelector("#rows a") === null
        ? requestAnimationFrame(look)
        : requestAnimationFrame(() => setTimeout(() => done([paint(), performance.now()])));
    look();
})"""


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    from playwright.sync_api import sync_playwright

    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        endpoint = f"ipc://{folder}/bus"
        air = _start("tests.page.on_air", endpoint, str(options.stations))
        page = _start("streamer.cli", "page", "--connect", endpoint, "--bind", "127.0.0.1:0")
        browser = playwright.chromium.launch(executable_path=options.browser, args=["--no-sandbox"])
        try:
            assert page.stderr is not None
            url = page.stderr.readline().split()[-1]
            time.sleep(SETTLE_S)
            looks = [_look(browser, url) for _ in range(LOOKS)]
            tab = _open(browser, url)
            time.sleep(SETTLE_S)
            found = _cost(browser, page.pid, options.seconds)
            tab.context.close()
        finally:
            browser.close()
            for process in (page, air):
                process.kill()
                process.communicate()
    result = {
        "first_paint_ms": round(statistics.median(paint for paint, _ in looks)),
        "first_rows_ms": round(statistics.median(rows for _, rows in looks)),
        **found,
    }
    what = "ms from the request to the first paint and the first rows; percent of a core while it is watched"
    print(json.dumps({"bench": "page", "what": what, "stations": options.stations, **result}))
    return 0


def _start(module: str, *arguments: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE if module.startswith("tests") else None,
        stderr=subprocess.PIPE if module.startswith("streamer") else None,
        text=True,
    )
    if process.stdout is not None:
        process.stdout.readline()
    return process


def _open(browser: Any, url: str) -> Any:
    tab = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    tab.goto(url, wait_until="commit")
    return tab


def _look(browser: Any, url: str) -> tuple[float, float]:
    tab = _open(browser, url)
    paint, rows = tab.evaluate(FIRST_PAINT)
    tab.context.close()
    return paint, rows


def _cost(browser: Any, pid: int, seconds: float) -> dict[str, float]:
    """Give what the page's process and each kind of the browser's take, in percent of a core."""
    session = browser.new_browser_cdp_session()

    def spent() -> dict[str, float]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        seconds = {"page_cpu": sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")}
        for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
            name = f"{process['type'].lower()}_cpu"
            seconds[name] = seconds.get(name, 0.0) + process["cpuTime"]
        return seconds

    before, began = spent(), time.monotonic()
    time.sleep(seconds)
    after, took = spent(), time.monotonic() - began
    names = ("page_cpu", "renderer_cpu", "gpu_cpu", "browser_cpu")
    return {f"{n}_percent": round(100 * (after.get(n, 0.0) - before.get(n, 0.0)) / took, 1) for n in names}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--stations", type=int, default=STATIONS, metavar="N")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, metavar="S", help="for which CPU is counted"
    )
    parser.add_argument("--browser", default="/usr/bin/chromium", metavar="PATH", help="a Chromium")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
