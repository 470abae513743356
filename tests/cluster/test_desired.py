import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.cluster.desired import (
    PIECE_BYTES,
    Desired,
    engine_config,
    make,
    pack,
    rules,
    shard_count,
    unpack,
)
from streamer.config import Config, HistoryConfig, StationConfig
from streamer.sections import ClusterConfig, PageConfig, SecurityConfig

STATIONS = tuple(StationConfig(id=f"s{n}", source=f"http://radio.example/{n}") for n in range(300))
WHOLE = Config(gateways=("tcp://gateway:5568",), station=STATIONS, page=PageConfig(), history=HistoryConfig())


@given(st.binary(max_size=300_000))
@settings(deadline=None)
def test_it_comes_out_of_its_pieces_as_it_went_in(noise: bytes) -> None:
    station = StationConfig(id="s", source=f"http://radio.example/{noise.hex()}")
    desired = Desired(revision=3, config=Config(station=(station,)), shards=2, drained=frozenset({"n"}))
    pieces = pack(desired)
    assert all(len(piece) <= PIECE_BYTES for piece in pieces)
    assert unpack(pieces) == desired


@pytest.mark.parametrize(("stations", "shards"), [(0, 1), (1, 1), (100, 1), (101, 2), (300, 3)])
def test_shards_are_as_many_as_stations_need(stations: int, shards: int) -> None:
    config = Config(station=STATIONS[:stations], cluster=ClusterConfig(per_shard=100))
    assert shard_count(config) == shards


def test_an_engine_has_its_stations_and_nothing_that_belongs_to_the_gateway() -> None:
    secure = SecurityConfig(server_key="k", allow="a", allow_private=("10.0.0.0/8",))
    told = engine_config(msgspec.structs.replace(WHOLE, security=secure), STATIONS[:2])
    assert told.station == STATIONS[:2]
    assert told.gateways == WHOLE.gateways
    assert told.workers == 1
    assert told.page is None
    assert told.history is None
    assert told.security == SecurityConfig(allow_private=("10.0.0.0/8",))


def test_engines_are_made_anew_for_what_they_can_t_follow_and_for_nothing_else() -> None:
    other = [
        msgspec.structs.replace(WHOLE, station=STATIONS[:5]),
        msgspec.structs.replace(WHOLE, duty=0.5),
        msgspec.structs.replace(WHOLE, page=None),
        msgspec.structs.replace(WHOLE, gateways=("tcp://other:5568",)),
    ]
    assert {make(config) for config in other} == {make(WHOLE)}
    assert make(msgspec.structs.replace(WHOLE, hop=0.5)) != make(WHOLE)
    assert make(msgspec.structs.replace(WHOLE, cluster=ClusterConfig(cpus=1.0))) != make(WHOLE)


def test_what_belongs_to_one_machine_is_refused() -> None:
    here = (StationConfig(id="a", source="soundcard:"), StationConfig(id="b", source="stdin:?rate=8000"))
    found = list(rules(Config(station=here)))
    assert [problem.key for problem in found] == [
        ("gateways",),
        ("station", 0, "source"),
        ("station", 1, "source"),
    ]
    assert list(rules(WHOLE)) == []
