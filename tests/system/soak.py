"""Stations that break and mend for half an hour: who dies, what grows, which windows nobody took.

    python -m tests.system.soak --stations 40 --minutes 30

Its last line is one JSON object. Every few seconds one station after another meets a fault of
`tests.system.faults`, keeps it for a while, and is well again; three are broken for good (no such
host, nobody listens, no TLS). In the end all are mended and must be heard again.
"""

import argparse
import contextlib
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.ports import free_port
from tests.system.faults import FAULTS, FaultyRadio, faulty_radio, healthy
from tests.system.running import Heard, Message, daemon, listen_for

HOP_S = 1.0
LOOK_S = 5.0
EVERY_S = (0.5, 2.0)  # from one fault to the next
LASTS_S = (3.0, 30.0)
HEAL_S = 120.0  # in the end: the longest back-off, and connecting
SETTLE = 0.4  # of the time, after which what grows is told: caches and allocators are full by then
FOR_GOOD = ("dns", "refused", "tls")


@dataclass
class Station:
    """What is known of one station, message by message."""

    seq: int | None = None
    position: float | None = None
    state: str = "no-signal"
    windows: int = 0
    holes: int = 0
    unexplained: int = 0
    losses: Counter[str] = field(default_factory=Counter)

    def take(self, m: Message) -> None:
        if m["kind"] == "status":
            if m["event"] == "lost":
                self.losses[m["reason"]] += 1
            self.position = None
            return
        if self.seq is not None:
            self.holes += m["seq"] - self.seq - 1
        heard = m["state"] != "no-signal"
        # The first hop of a connection is shorter: stations are spread over the second.
        if heard and self.position is not None and not m["gap"]:
            self.unexplained += max(round((m["position"] - self.position) / m["hop"]) - 1, 0)
        self.position = m["position"] if heard else None
        self.seq, self.state = m["seq"], m["state"]
        self.windows += heard


@dataclass
class Grown:
    """What the daemon's processes take, over time."""

    at_s: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)

    def look(self, now: float, pids: list[int]) -> None:
        rss = files = threads = 0
        for pid in pids:
            with contextlib.suppress(OSError):
                fields = dict(
                    line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                )
                rss += int(fields["VmRSS"].split()[0])
                threads += int(fields["Threads"])
                files += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        self.at_s.append(now)
        self.rss_mb.append(rss / 1024)
        self.files.append(files)
        self.threads.append(threads)

    def told(self) -> dict[str, dict[str, float]]:
        begin = int(len(self.at_s) * SETTLE)
        hours = np.array(self.at_s[begin:]) / 3600
        return {
            name: {
                "first": round(values[begin], 1),
                "last": round(values[-1], 1),
                "most": round(max(values), 1),
                "per_hour": round(float(np.polyfit(hours, values[begin:], 1)[0]), 2),
            }
            for name, values in (("rss_mb", self.rss_mb), ("files", self.files), ("threads", self.threads))
        }


def soak(count: int, seconds: float, seed: int) -> dict[str, object]:
    """Run it; give what was seen."""
    rng = random.Random(seed)
    acts = [name for name, fault in FAULTS.items() if fault.act and name not in FOR_GOOD]
    stations = {f"s{number}": Station() for number in range(count)}
    grown, met = Grown(), Counter[str]()
    with faulty_radio() as server, tempfile.TemporaryDirectory() as folder:
        closed = free_port()
        urls = [f"http://127.0.0.1:{server.port}/s{number}" for number in range(count)]
        for number, name in enumerate(FOR_GOOD):
            urls[number] = server.url(FAULTS[name], f"s{number}", closed)
        free = list(stations)[len(FOR_GOOD) :]
        with daemon(Path(folder), *urls, hop=HOP_S, quiet=True) as heard:
            began = time.monotonic()
            broken: dict[str, float] = {}
            next_fault = next_look = began + 10.0
            while (now := time.monotonic()) < began + seconds:
                listen(heard, stations, 0.2)
                if now >= next_fault and (well := [path for path in free if path not in broken]):
                    path, name = rng.choice(well), rng.choice(acts)
                    server.change(path, FAULTS[name].act or healthy)
                    met[name] += 1
                    broken[path] = now + rng.uniform(*LASTS_S)
                    next_fault = now + rng.uniform(*EVERY_S)
                mend(server, broken, now)
                if now >= next_look:
                    grown.look(now - began, [heard.process.pid, *heard.workers()])
                    next_look = now + LOOK_S
            mend(server, broken, float("inf"))
            end = time.monotonic() + HEAL_S
            while time.monotonic() < end and any(stations[path].state == "no-signal" for path in free):
                listen(heard, stations, 0.2)
            heartbeat = heard.until(lambda m: m["kind"] == "heartbeat")
    return {
        "stations": count,
        "seconds": round(seconds, 1),
        "faults": dict(met),
        "losses": dict(sum((station.losses for station in stations.values()), Counter())),
        "windows": sum(station.windows for station in stations.values()),
        "dead": [path for path in free if stations[path].state == "no-signal"],
        "holes_in_seq": sum(station.holes for station in stations.values()),
        "windows_missing_without_a_fault": sum(station.unexplained for station in stations.values()),
        "dropped": heartbeat["dropped"],
        "restarts": heartbeat["restarts"],
        **grown.told(),
    }


def listen(heard: Heard, stations: dict[str, Station], seconds: float) -> None:
    """Take what comes for so long, and keep none of it."""
    listen_for(heard, seconds)
    for message in heard.messages:
        if message["kind"] in ("genre", "status"):
            stations[message["station"]].take(message)
    heard.messages.clear()


def mend(server: FaultyRadio, broken: dict[str, float], now: float) -> None:
    """Make well whose time is over."""
    for path in [path for path, until in broken.items() if until <= now]:
        server.change(path, healthy)
        del broken[path]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.system.soak", description=__doc__)
    parser.add_argument("--stations", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(json.dumps(soak(options.stations, options.minutes * 60, options.seed)))


if __name__ == "__main__":
    main()
