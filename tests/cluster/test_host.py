import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import zmq

from bench import content
from bench.radio import Radio, radio
from streamer.cluster.desired import engine_config, make
from streamer.cluster.host import Host
from streamer.cluster.state import ShardState
from streamer.config import Config, StationConfig
from tests.tiny_model import model_bytes

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radio]:
    programme = tmp_path_factory.mktemp("programme")
    content.make(programme, content.DEFAULT)
    with radio(programme, 4) as playing:
        yield playing


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host("node")
    yield host
    host.stop()


def config(folder: Path, play: Radio, *stations: int, model: str = "tiny.onnx") -> Config:
    (folder / "tiny.onnx").write_bytes(model_bytes())
    told = tuple(StationConfig(id=f"s{number}", source=play.url(number)) for number in stations)
    whole = Config(model=str(folder / model), hop=0.5, station=told)
    return engine_config(whole, told)


def until(host: Host, holds: Callable[[ShardState], bool], seconds: float = 30.0) -> ShardState:
    end = time.monotonic() + seconds
    while not holds(state := host.state()):
        assert time.monotonic() < end, state
        time.sleep(0.05)
    return state


def all_heard(state: ShardState) -> bool:
    return bool(state.stations) and not state.unheard


def children() -> int:
    return sum(len(path.read_text().split()) for path in Path("/proc/self/task").glob("*/children"))


def test_it_follows_and_tells_how_it_is(tmp_path: Path, play: Radio, host: Host) -> None:
    assert host.state().stations == ()
    first = config(tmp_path, play, 0, 1)
    host.follow(1, make(first), first)
    state = until(host, all_heard)
    assert (state.revision, state.stations, state.make) == (1, ("s0", "s1"), make(first))

    other = config(tmp_path, play, 1, 2, 3)
    host.follow(2, make(other), other)
    state = until(host, lambda state: state.revision == 2 and all_heard(state))
    assert state.stations == ("s1", "s2", "s3")
    assert state.failure is None


def test_an_older_revision_is_nothing(tmp_path: Path, play: Radio, host: Host) -> None:
    new, old = config(tmp_path, play, 0), config(tmp_path, play, 1)
    host.follow(2, make(new), new)
    until(host, all_heard)
    host.follow(1, make(old), old)
    assert until(host, all_heard).stations == ("s0",)


def test_without_stations_there_is_no_engine(tmp_path: Path, play: Radio, host: Host) -> None:
    some, none = config(tmp_path, play, 0), config(tmp_path, play)
    host.follow(1, make(some), some)
    until(host, all_heard)
    host.follow(2, make(none), none)
    until(host, lambda state: state.revision == 2 and state.rss_mb == 0.0)
    host.follow(3, make(some), some)
    until(host, lambda state: state.revision == 3 and all_heard(state))


def test_what_was_missing_and_is_there_needs_no_further_order(
    tmp_path: Path, play: Radio, host: Host
) -> None:
    late = config(tmp_path, play, 0, model="late.onnx")
    host.follow(1, make(late), late)
    host.follow(1, make(late), late)  # told twice, as by a coordinator that has not heard of the first
    until(host, lambda state: state.failure is not None)
    (tmp_path / "late.onnx").write_bytes(model_bytes())
    assert until(host, all_heard).failure is None


def test_stations_that_are_nowhere_any_more_say_so(tmp_path: Path, play: Radio, host: Host) -> None:
    endpoint = f"ipc://{tmp_path}/gateway"
    told = msgspec.structs.replace(config(tmp_path, play, 0), gateways=(endpoint,))
    with zmq.Context() as context, context.socket(zmq.SUB) as gateway:
        gateway.setsockopt(zmq.RCVTIMEO, 10_000)
        for kind in ("genre/", "status/"):
            gateway.subscribe(kind)
        host.follow(1, make(told), told)
        assert until(host, all_heard).deaf == {endpoint: "it is not there"}
        gateway.bind(endpoint)
        until(
            host, lambda state: gateway.poll(20) >= 0 and not state.deaf
        )  # it comes in when it is looked at
        host.stop(removed=True)
        said = {"event": "", "reason": ""}
        while said.get("event") != "stopped":
            said = json.loads(gateway.recv_multipart()[1])
    assert said["reason"] == "removed"
    assert host.state().ended


def test_what_can_t_begin_says_why_and_begins_when_it_can(tmp_path: Path, play: Radio, host: Host) -> None:
    missing = config(tmp_path, play, 0, model="missing.onnx")
    host.follow(1, make(missing), missing)
    state = until(host, lambda state: state.failure is not None)
    assert "missing.onnx" in str(state.failure)
    good = config(tmp_path, play, 0)
    host.follow(2, make(good), good)
    assert until(host, lambda state: all_heard(state) and state.failure is None).revision == 2


def test_stopped_it_leaves_nothing_behind(tmp_path: Path, play: Radio) -> None:
    before = children()
    host = Host("node")
    told = config(tmp_path, play, 0)
    host.follow(1, make(told), told)
    until(host, all_heard)
    assert children() > before
    host.stop()
    assert children() == before
