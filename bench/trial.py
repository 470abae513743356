"""One run of the real daemon over N synthetic stations: what it cost, how late it was, what it lost."""

import math
import time
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.books import Books, Lost
from bench.content import DEFAULT
from bench.daemon import Daemon, cpu_s, daemon, stations_toml
from bench.radio import Radio, radio

HEARD_S = 90.0  # within which every station has told its first window, or nothing will come of it
SETTLE_S = 5.0  # then: the bursts at connect are worked off, and every hop has its place
EARLY_S = 5.0  # of a connection: its latencies are left out, its burst comes at once
ROUNDED_S = 0.0005  # positions are told in whole milliseconds


class NotHeardError(RuntimeError):
    """The daemon ended, or some station never told a window."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        content: folder of `bench.content`.
        kinds: what the stations play, in turn.
        hop_s: asked of the daemon.
        also: more lines for the head of its configuration.
        heard_s: within which all stations must have told a window.
        settle_s: between the last station's first window and the measuring.
    """

    content: Path
    kinds: tuple[str, ...] = DEFAULT
    hop_s: float = 1.0
    also: str = ""
    heard_s: float = HEARD_S
    settle_s: float = SETTLE_S


@dataclass(frozen=True, slots=True)
class Trial:
    """What was seen within the measured time.

    Attributes:
        stations: that were listened to.
        seconds: measured.
        hop_s: asked for.
        cpu_ms: CPU of the daemon's processes per second of a station.
        generator_cpu: share of a core that the radio took.
        lags_ms: of all windows, sorted.
        lost: what was.
        rss_mb, pss_mb: of the daemon's processes, at the end.
        hop_stretch: the largest that was told.
        latencies_ms: where they were asked for, sorted.
    """

    stations: int
    seconds: float
    hop_s: float
    cpu_ms: float
    generator_cpu: float
    lags_ms: list[float]
    lost: Lost
    rss_mb: float
    pss_mb: float
    hop_stretch: float
    latencies_ms: list[float]

    @property
    def held(self) -> bool:
        """Real time was held: no window lost, no hop stretched, nearly none later than a hop."""
        late = percentile(self.lags_ms, 0.99)
        in_time = late is not None and late < self.hop_s * 1e3
        return in_time and not self.lost.windows and self.hop_stretch <= 1.0


def run_trial(plan: Plan, stations: int, seconds: float, *, latencies: bool = False) -> Trial:
    """Start radio and daemon, wait until all stations are heard, let them settle, measure.

    Raises:
        NotHeardError: see there.
    """
    names = [f"s{number}" for number in range(stations)]
    with TemporaryDirectory() as folder, radio(plan.content, stations, plan.kinds) as on_air:
        config = Path(folder) / "stations.toml"
        urls = [on_air.url(number) for number in range(stations)]
        config.write_text(f"hop = {plan.hop_s}\n{plan.also}\n{stations_toml(urls)}")
        with daemon("--config", str(config)) as running, Books(running.socket, names) as books:
            _wait(running, books, plan.heard_s)
            time.sleep(plan.settle_s)
            return _measure(running, on_air, books, plan, seconds, latencies=latencies)


def _wait(running: Daemon, books: Books, heard_s: float) -> None:
    deadline = time.monotonic() + heard_s
    while not books.all_heard(0.5):
        if running.process.poll() is not None:
            raise NotHeardError(f"the daemon ended with status {running.process.returncode}")
        if time.monotonic() > deadline:
            silent = sum(not book.heard for book in books.stations.values())
            raise NotHeardError(f"{silent} of {len(books.stations)} stations told no window in {heard_s:g} s")


def _measure(
    running: Daemon, on_air: Radio, books: Books, plan: Plan, seconds: float, *, latencies: bool
) -> Trial:
    began, cpu, radio_cpu = time.monotonic(), running.cpu_s(), cpu_s(on_air.process.pid)
    time.sleep(seconds)
    ended, used = time.monotonic(), running.cpu_s() - cpu
    took = ended - began
    generator_cpu = (cpu_s(on_air.process.pid) - radio_cpu) / took
    rss_mb, pss_mb = running.memory_mb()
    count = len(books.stations)
    return Trial(
        stations=count,
        seconds=took,
        hop_s=plan.hop_s,
        cpu_ms=used * 1e3 / (count * took),
        generator_cpu=generator_cpu,
        lags_ms=books.lags_ms(began, ended),
        lost=books.lost(began, ended, plan.hop_s),
        rss_mb=rss_mb,
        pss_mb=pss_mb,
        hop_stretch=books.hop_stretch(began),
        latencies_ms=_latencies_ms(on_air, books, began, ended) if latencies else [],
    )


def _latencies_ms(on_air: Radio, books: Books, since: float, until: float) -> list[float]:
    found: list[float] = []
    for book, connections in zip(books.stations.values(), on_air.sent(), strict=True):
        told = [t for t in book.genre if since <= t.at < until and t.state != "no-signal"]
        found += latencies_ms([(t.position, t.at) for t in told], connections)
    return sorted(found)


def latencies_ms(
    told: list[tuple[float, float]], connections: list[tuple[float, list[float], list[float]]]
) -> list[float]:
    """Give the latency of each window of a station whose sending is known.

    Args:
        told: position (s since the source opened) and moment of receipt of each window.
        connections: the radio's: when each opened, moments, and the seconds that were sent by each.
    """
    found = []
    for position, received in told:
        current = [connection for connection in connections if connection[0] < received]
        if not current or received - current[-1][0] < EARLY_S:
            continue
        _, times, seconds = current[-1]
        at = bisect_left(seconds, position - ROUNDED_S)
        if at < len(times):
            found.append((received - times[at]) * 1e3)
    return found


def percentile(ordered: list[float], share: float) -> float | None:
    """Give the smallest of sorted values that at least `share` of them don't exceed; None of nothing."""
    return round(ordered[max(math.ceil(share * len(ordered)) - 1, 0)], 1) if ordered else None
