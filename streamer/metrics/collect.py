"""What Prometheus is told, made of what is known when it asks: what is no more, is told no more."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from streamer.attend import ROOMS
from streamer.flow import State
from streamer.metrics.live import FRESH_S, Live

MOST_STATIONS = 2000  # with series of their own: five each


class GenrecastCollector(Collector):
    """All metrics.

    Args:
        live: what is known.
        lost: gives how many messages were lost on the way here.
        now: gives the seconds that `live` counts by.
        time: gives Unix seconds.
    """

    def __init__(
        self, live: Live, *, lost: Callable[[], int], now: Callable[[], float], time: Callable[[], float]
    ) -> None:
        self._live, self._lost, self._now, self._time = live, lost, now, time

    def collect(self) -> Iterator[Metric]:
        """Give the metrics as they are now; of a daemon that isn't heard of, only that."""
        live, age_s = self._live, self._live.age_s(self._now())
        alive = age_s is not None and age_s < FRESH_S
        yield _gauge("up", "1 while heartbeats of the daemon come, else 0.", float(alive))
        if age_s is not None:
            yield _gauge("heartbeat_age_seconds", "Since the last heartbeat.", age_s)
        yield _counter("bus_messages_lost", "Messages lost on the way to the metrics.", self._lost())
        yield _counters("reconnects", "Sources lost or not to be had.", "reason", live.reconnects.items())
        if alive and live.beat is not None:
            yield from _daemon(live.beat)
            yield from self._silence()
            yield from _stations(live.stations)

    def _silence(self) -> Iterator[Metric]:
        since = [at for at in self._live.without_signal.values() if at is not None]
        longest_s = max((self._time() - at for at in since), default=0.0)
        yield _gauge(
            "longest_without_signal_seconds",
            "For how long that station can't be heard which can't be heard the longest; 0 where all can.",
            max(longest_s, 0.0),
        )


def _daemon(beat: dict[str, Any]) -> Iterator[Metric]:
    """Give what a heartbeat tells."""
    about = {name: beat[name] for name in ("version", "model", "provider")}
    yield InfoMetricFamily("genrecast_build", "What runs.", value=about)
    yield _gauge("uptime_seconds", "Since the daemon's start.", beat["uptime"])
    counts = [(state, beat["stations"].get(state, 0)) for state in get_args(State)]
    yield _gauges("stations", "Stations by state.", ["state"], (([s], n) for s, n in counts))
    yield _counter("windows", "Windows done.", beat["windows"])
    yield _counter("windows_dropped", "Windows that were due and not done.", beat["dropped"])
    lags = [(["0.5"], beat["lag_ms_p50"]), (["0.99"], beat["lag_ms_p99"])]
    yield _gauges(
        "lag_seconds",
        "From a window's last sample to its message, over the last heartbeat.",
        ["quantile"],
        ((label, ms / 1e3) for label, ms in lags if ms is not None),
    )
    spent = beat["cpu_by_stage"].items()
    yield _counters("cpu_seconds", "CPU time by what it was spent on.", "stage", spent)
    yield _gauge("resident_memory_bytes", "Of the daemon and its workers.", beat["rss_mb"] * 2**20)
    yield _gauge("hop_stretch_ratio", "How many times longer hops are than asked for.", beat["hop_stretch"])
    yield _gauge("workers", "Processes that listen.", beat["workers"])
    yield _gauge(
        "daemons", "How many daemons this tells of; a gateway's are those behind it.", beat["daemons"]
    )
    yield _counter("worker_restarts", "Workers that died and were started again.", beat["restarts"])
    attending = [
        ([name], of["state"] == "running") for name, of in beat["attendants"].items() if name in ROOMS
    ]
    yield _gauges("attendant_up", "1 while an attendant is well, else 0.", ["attendant"], attending)


def _stations(said: dict[str, dict[str, Any]]) -> Iterator[Metric]:
    """Give what each station last said, where that is subscribed to."""
    if not said:
        return
    told = sorted(said.items())[:MOST_STATIONS]
    yield _gauge("stations_left_out", "Beyond those that have series of their own.", len(said) - len(told))
    yield _gauges(
        "station_state", "1 for the state that it is in.", ["station", "state"],
        (([id, message["state"]], 1.0) for id, message in told),
    )  # fmt: skip
    for name, help, field, scale in (
        ("confidence_ratio", "Of what is said.", "confidence", 1.0),
        ("lag_seconds", "From its window's last sample to its message.", "lag_ms", 1e-3),
        ("level_dbfs", "RMS of the window in dB of full scale; none in digital silence.", "level_dbfs", 1.0),
    ):
        rows = (([id], m[field] * scale) for id, m in told if m[field] is not None)
        yield _gauges(f"station_{name}", help, ["station"], rows)


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"genrecast_{name}", help, value=value)


def _counter(name: str, help: str, value: float) -> Metric:
    return CounterMetricFamily(f"genrecast_{name}", help, value=value)


def _gauges(name: str, help: str, labels: list[str], rows: Iterable[tuple[list[str], float]]) -> Metric:
    family = GaugeMetricFamily(f"genrecast_{name}", help, labels=labels)
    for row, value in rows:
        family.add_metric(row, value)
    return family


def _counters(name: str, help: str, label: str, rows: Iterable[tuple[str, float]]) -> Metric:
    family = CounterMetricFamily(f"genrecast_{name}", help, labels=[label])
    for row, value in rows:
        family.add_metric([row], value)
    return family
