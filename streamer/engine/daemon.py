"""The daemon: all stations of a configuration, one model, one socket, a heartbeat."""

import asyncio
import logging
import os
import resource
import secrets
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from streamer import __version__
from streamer.config import Config, StationConfig
from streamer.engine.listener import Listener
from streamer.engine.scheduler import Scheduler
from streamer.engine.station import Station
from streamer.errors import SourceError
from streamer.model.session import Model
from streamer.publish.bus import Bus
from streamer.publish.messages import Heartbeat, utc
from streamer.publish.reporter import Reporter
from streamer.source.open import open_source

log = logging.getLogger(__name__)

HEARTBEAT_S = 5.0
# Asked to end, everything is done within a second: half of it for sources to let go, the
# rest for the socket to send what is left.
CLOSE_S = 0.5


class Daemon:
    """Runs the stations of a configuration until it is asked to stop or all of them have ended.

    Args:
        config: checked.
        model: loaded; its probe has passed.

    Raises:
        PublishError: the endpoint can't be bound.
    """

    def __init__(self, config: Config, model: Model) -> None:
        self.boot = secrets.token_hex(4)
        self.model = model
        self.bus = Bus(config.bind, open_to_network=config.open_to_network)
        self._scheduler = Scheduler(model)
        self._lags: list[float] = []
        self.stations = [self._station(station, config.hop) for station in config.station]

    async def run(self, asked: asyncio.Event) -> list[SourceError]:
        """Run until `asked` is set or no station is left.

        Returns:
            what made stations end for good, where none was asked to and it was not their own end.
        """
        self.bus.start()
        tasks = [asyncio.create_task(station.run(), name=station.id) for station in self.stations]
        beat = asyncio.create_task(self._beat())
        stop = asyncio.create_task(asked.wait())
        done = asyncio.gather(*tasks, return_exceptions=True)
        try:
            waits: set[asyncio.Future[Any]] = {done, stop}
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*tasks, beat, stop):
                task.cancel()
            await asyncio.wait({*tasks, beat, stop}, timeout=CLOSE_S)
            self.bus.close()
        if asked.is_set():
            return []
        ends = [task.result() for task in tasks if task.done() and not task.cancelled()]
        return [end for end in ends if end is not None]

    def _station(self, config: StationConfig, hop_s: float) -> Station:
        reporter = Reporter(self.bus, config.id, self.boot, self.model.contract.labels)
        new_listener = partial(
            Listener,
            contract=self.model.contract,
            hop_s=hop_s,
            scheduler=self._scheduler,
            reporter=reporter,
            lags=self._lags.append,
        )
        return Station(
            config.id,
            open_source=partial(open_source, config.source, charset=config.charset),
            new_listener=new_listener,
            reporter=reporter,
            hop_s=hop_s,
        )

    async def _beat(self) -> None:
        """Tell how the daemon itself is, every `HEARTBEAT_S`."""
        started, cpu = time.monotonic(), process_cpu_s()
        before = started
        seq = 0
        while True:
            await asyncio.sleep(HEARTBEAT_S if seq else 0.0)
            now, spent = time.monotonic(), process_cpu_s()
            lags, self._lags[:] = sorted(self._lags), []
            self.bus.send(
                Heartbeat(
                    station="-",
                    seq=seq,
                    boot=self.boot,
                    time=utc(time.time()),
                    version=__version__,
                    model=self.model.contract.name,
                    provider=self.model.provider,
                    uptime=round(now - started, 3),
                    stations=dict(Counter(station.state for station in self.stations)),
                    cpu=round((spent - cpu) / max(now - before, 1e-3), 4),
                    rss_mb=round(rss_bytes() / 2**20, 1),
                    lag_ms_p50=percentile(lags, 0.50),
                    lag_ms_p99=percentile(lags, 0.99),
                    windows=self._scheduler.windows,
                    dropped=0,
                    hop_stretch=1.0,
                )
            )
            seq, before, cpu = seq + 1, now, spent


def process_cpu_s() -> float:
    """Give the CPU seconds of this process."""
    times = os.times()
    return times.user + times.system


def rss_bytes() -> int:
    """Give the resident memory of this process; where the system doesn't tell, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def percentile(ordered: list[float], share: float) -> float | None:
    """Give the value below which `share` of the sorted values lie; None of nothing."""
    if not ordered:
        return None
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1)
