"""What a coordinator does of itself, with a few events in the place of Ray."""

import threading
from collections.abc import Iterator

import pytest

from streamer.cluster import coordinator
from streamer.cluster.coordinator import Coordinator
from streamer.cluster.desired import Desired, pack
from streamer.config import Config, StationConfig

DESIRED = Desired(
    revision=5, config=Config(station=(StationConfig(id="a", source="http://radio.example/a"),)), shards=1
)


class Fleet:
    """Coordinators by their revisions, and no shard yet."""

    def __init__(self) -> None:
        self.revisions = [5]
        self.over = False
        self.asked, self.started, self.ended = threading.Semaphore(0), threading.Event(), threading.Event()

    def coordinators(self) -> list[int]:
        if self.over:
            self.ended.set()
            threading.Event().wait()  # its thread has no end of its own
        self.asked.release()
        return self.revisions

    def start_shard(self, *_: object) -> None:
        self.started.set()


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    fleet = Fleet()
    monkeypatch.setattr(coordinator, "LOOK_S", 0.01)
    monkeypatch.setattr(coordinator.fleet, "coordinators", fleet.coordinators)
    monkeypatch.setattr(coordinator.fleet, "end_coordinators", lambda before: None)
    monkeypatch.setattr(coordinator.fleet, "start_shard", fleet.start_shard)
    monkeypatch.setattr(coordinator.fleet, "instances", set)
    monkeypatch.setattr(coordinator.fleet, "nodes", lambda *_: ())
    yield fleet
    fleet.over = True
    assert fleet.ended.wait(10)


def test_it_waits_for_a_newer_one_to_begin_and_goes_on_where_that_never_does(fleet: Fleet) -> None:
    fleet.revisions = [5, 6]
    Coordinator(*pack(DESIRED))
    for _ in range(3):
        assert fleet.asked.acquire(timeout=10)
    assert not fleet.started.is_set()

    fleet.revisions = [5]

    assert fleet.started.wait(10)
