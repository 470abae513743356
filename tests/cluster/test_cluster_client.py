"""What the commands ask for, with a few dictionaries in the place of Ray."""

import sys
from typing import Any

import msgspec
import pytest
from ray.exceptions import ActorAlreadyExistsError, RayActorError

from streamer.cluster import client
from streamer.cluster.client import Cluster
from streamer.cluster.desired import Desired, engine_config, unpack
from streamer.cluster.state import ClusterState, NodeState
from streamer.config import Config, MqttConfig, StationConfig
from streamer.errors import ClusterError

NODES = (NodeState(id="aaa1", address="10.0.0.1", slots=8), NodeState(id="aab2", address="10.0.0.2", slots=8))
CONFIG = Config(
    station=tuple(StationConfig(id=f"s{n}", source=f"http://radio.example/{n}") for n in range(300)),
    gateways=("tcp://g:1",),
    mqtt=MqttConfig(password="secret"),
)


class Asked:
    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def remote(self) -> Any:
        return self._answer


class Handle:
    def __init__(self, pieces: list[bytes]) -> None:
        self.made_of = pieces
        state = ClusterState(revision=1, stations=1, shards=1, nodes=NODES, placed=())
        self.desired, self.state = Asked(pieces), Asked(msgspec.msgpack.encode(state))
        self.__ray_ready__ = Asked(None)


class Fleet:
    """Coordinators by their revisions, and names of shards."""

    def __init__(self) -> None:
        self.handles: dict[int, Handle] = {}
        self.taken = 0  # how often somebody else is quicker
        self.rounds: list[set[tuple[int, int]]] = []

    def coordinators(self) -> list[int]:
        return sorted(self.handles)

    def coordinator(self, revision: int) -> Handle:
        return self.handles[revision]

    def start_coordinator(self, _kind: type, revision: int, pieces: list[bytes]) -> Handle:
        if self.taken:
            self.taken -= 1
            raise ActorAlreadyExistsError("it is there")
        assert all(revision > other for other in self.handles)
        self.handles = {revision: Handle(pieces)}
        return self.handles[revision]

    def instances(self) -> set[tuple[int, int]]:
        return self.rounds[0] if self.rounds else set()

    def end_coordinators(self) -> None:
        self.handles = {}

    def end_shards(self, keys: set[tuple[int, int]], *, removed: bool) -> None:
        assert not removed
        assert keys == self.rounds.pop(0)

    @property
    def told(self) -> Desired:
        return unpack(self.handles[max(self.handles)].made_of)


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fleet:
    fleet = Fleet()
    for name in (
        "coordinators",
        "coordinator",
        "start_coordinator",
        "instances",
        "end_coordinators",
        "end_shards",
    ):
        monkeypatch.setattr(client.fleet, name, getattr(fleet, name))
    monkeypatch.setattr(sys.modules["ray"], "get", lambda answer, timeout: answer)
    return fleet


def test_what_is_brought_is_what_engines_need_and_nothing_secret_beside_it(fleet: Fleet) -> None:
    assert Cluster().bring(CONFIG)
    told = fleet.told
    assert told.config == engine_config(CONFIG, CONFIG.station)
    assert told.config.mqtt is None
    assert told.shards == 3
    assert told.revision > 1_700_000_000  # later than any that is left of a cluster that ended


def test_the_same_again_is_nothing_new_and_a_change_is_the_next_revision(fleet: Fleet) -> None:
    Cluster().bring(CONFIG)
    before = fleet.told
    assert not Cluster().bring(msgspec.structs.replace(CONFIG, mqtt=None))
    assert Cluster().bring(msgspec.structs.replace(CONFIG, hop=0.5))
    assert fleet.told.revision == before.revision + 1


def test_a_node_is_drained_by_address_or_the_beginning_of_its_id(fleet: Fleet) -> None:
    Cluster().bring(CONFIG)
    assert Cluster().drain("10.0.0.1").id == "aaa1"
    assert Cluster().drain("aab").id == "aab2"
    assert fleet.told.drained == {"aaa1", "aab2"}
    Cluster().drain("aaa", undo=True)
    assert fleet.told.drained == {"aab2"}


@pytest.mark.parametrize("name", ["", "aa", "10.0.0.9"])
def test_a_name_that_names_no_node_or_two_is_refused_with_those_that_there_are(
    fleet: Fleet, name: str
) -> None:
    Cluster().bring(CONFIG)
    with pytest.raises(ClusterError) as raised:
        Cluster().drain(name)
    assert "10.0.0.1 (aaa1), 10.0.0.2 (aab2)" in raised.value.remedy


def test_two_who_drain_at_the_same_moment_both_do(fleet: Fleet) -> None:
    Cluster().bring(CONFIG)
    fleet.taken = 2
    Cluster().drain("aaa1")
    assert fleet.told.drained == {"aaa1"}


def test_two_who_bring_at_the_same_moment_don_t(fleet: Fleet) -> None:
    fleet.taken = 1
    with pytest.raises(ClusterError, match="somebody else"):
        Cluster().bring(CONFIG)


def test_who_is_overtaken_by_a_later_change_is_told(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    Cluster().bring(CONFIG)

    def overtaken(kind: type, revision: int, pieces: list[bytes]) -> Handle:
        fleet.handles = {revision + 1: Handle(pieces)}  # while we were reading what is there
        return Handle(pieces)

    monkeypatch.setattr(client.fleet, "start_coordinator", overtaken)
    with pytest.raises(ClusterError, match="somebody else"):
        Cluster().bring(msgspec.structs.replace(CONFIG, hop=0.5))


def test_a_coordinator_that_ends_while_it_is_asked_has_one_in_its_place(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    Cluster().bring(CONFIG)
    ((revision, ended),) = fleet.handles.items()

    def get(answer: Any, timeout: float) -> Any:
        if answer is ended.made_of:
            fleet.handles = {revision + 1: Handle(list(ended.made_of))}
            raise RayActorError
        return answer

    monkeypatch.setattr(sys.modules["ray"], "get", get)
    assert Cluster().desired() is not None


def test_at_the_end_nothing_is_left_of_what_a_coordinator_was_just_starting(fleet: Fleet) -> None:
    Cluster().bring(CONFIG)
    fleet.rounds = [{(0, 0), (1, 0)}, {(2, 0)}]
    assert Cluster().end() == 3
    assert not fleet.instances()
    assert not fleet.coordinators()


def test_where_nothing_is_up_that_is_told(fleet: Fleet) -> None:
    for ask in (Cluster().state, Cluster().rebalance, lambda: Cluster().drain("x")):
        with pytest.raises(ClusterError, match="no stations are up"):
            ask()


def test_another_version_is_told(fleet: Fleet) -> None:
    Cluster().bring(CONFIG)
    fleet.handles[max(fleet.handles)].state = Asked(msgspec.msgpack.encode({"revision": "many"}))
    with pytest.raises(ClusterError, match="another version"):
        Cluster().state()
