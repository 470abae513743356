"""Starting workers: how many, which stations each has, and the processes themselves.

It imports next to nothing: workers have much to load, and do so while the daemon loads its own.
"""

import heapq
import math
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from streamer.config import Config, StationConfig
from streamer.engine.blame import Blame
from streamer.engine.process import cores, sheltered

PER_WORKER = 128  # stations: two thirds of a slow core; a second process costs memory, and smaller batches

ENVIRONMENT = {
    # Workers are what runs in parallel: threads below them would wait for each other.
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Arrays of a second of audio come and go all the time. By itself glibc gives the memory back each
    # time and takes it anew, a page fault for each 4 KB, which was measured to cost more than the mel.
    "MALLOC_MMAP_THRESHOLD_": "4194304",
    "MALLOC_TRIM_THRESHOLD_": "8388608",
    "MALLOC_ARENA_MAX": "2",
}
"""What a worker's libraries read at their start, where the user's own environment doesn't say otherwise."""


class Launch:
    """A worker process that has been started, and what connects us with it.

    Args:
        config: with the stations that are its own.
    """

    def __init__(self, config: Config) -> None:
        self.blame = Blame()
        self.connection, theirs = socket.socketpair()
        module = ["-m", "streamer.engine.worker", str(self.blame.descriptor), str(theirs.fileno())]
        reads_stdin = any(station.source.lower().startswith("stdin:") for station in config.station)
        with theirs, sheltered():
            self.process = subprocess.Popen(
                [sys.executable, *module],
                env={**ENVIRONMENT, **os.environ},
                stdin=None if reads_stdin else subprocess.DEVNULL,
                pass_fds=(self.blame.descriptor, theirs.fileno()),
            )

    def kill(self) -> None:
        """End it at once, and let go of all."""
        self.connection.close()
        self.process.kill()
        self.process.wait()
        self.blame.close()


def shares(config: Config) -> list[Config]:
    """Give each worker its stations: as many workers as are asked for, or as pay."""
    dealt = deal(config.station, [], worker_count(config))
    return [with_stations(config, tuple(stations)) for stations in dealt]


def worker_count(config: Config) -> int:
    """Give how many processes should listen."""
    count = config.workers or min(math.ceil(len(config.station) / PER_WORKER), cores())
    return min(count, len(config.station))


def deal(stations: Sequence[StationConfig], loads: Sequence[int], count: int) -> list[list[StationConfig]]:
    """Give each worker its stations, always the one that has the fewest.

    Args:
        stations: to be dealt.
        loads: how many stations each worker that is there has already.
        count: of workers that there should be. None is taken away, and none is new that would get nothing.

    Returns:
        for each worker that is there, then for each new one, what it gets.
    """
    new = min(max(count - len(loads), 0 if loads else 1), len(stations))
    hands: list[list[StationConfig]] = [[] for _ in range(len(loads) + new)]
    order = [(load, number) for number, load in enumerate([*loads, *[0] * new])]
    heapq.heapify(order)
    for station in stations:
        load, number = order[0]
        hands[number].append(station)
        heapq.heapreplace(order, (load + 1, number))
    return hands


def with_stations(config: Config, stations: tuple[StationConfig, ...]) -> Config:
    """Give the configuration with these stations alone."""
    return msgspec.structs.replace(config, station=stations)
