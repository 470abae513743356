"""The gateway's heartbeat, of those of its daemons."""

import jsonschema
import msgspec
import pytest

from streamer.gateway import hearts
from streamer.gateway.hearts import GONE_S, Hearts
from streamer.gateway.voice import FORGOTTEN_S
from streamer.publish.messages import Attending, Heartbeat, encode, schema, utc

WELL = Attending(state="running", code=None, detail="")
ILL = Attending(state="trouble", code="history-disk", detail="the disk is full")


def beat(boot: str, **more: object) -> bytes:
    told: dict[str, object] = {
        "version": "1", "model": "tiny", "provider": "cpu", "uptime": 1.0, "stations": {"music": 2},
        "cpu_by_stage": {"model": 2.0, "tell": 1.0}, "rss_mb": 100.0, "lag_ms_p50": 10.0, "lag_ms_p99": 20.0,
        "windows": 100, "dropped": 10, "hop_stretch": 1.0, "workers": 1, "restarts": 1, "cpu": 0.5,
        "attendants": {},
    }  # fmt: skip
    common = {"station": "-", "seq": 0, "boot": boot, "time": utc(1e9)}
    return encode(Heartbeat(**common, **(told | more)))  # type: ignore[arg-type]


def heard(*beats: bytes, at: float = 0.0) -> Hearts:
    hearts = Hearts("gateway", 0.0)
    for one in beats:
        hearts.take(one, at)
    return hearts


def counted(told: Heartbeat) -> tuple[int, int, int, float]:
    return told.windows, told.dropped, told.restarts, told.cpu_by_stage["model"]


def test_what_daemons_count_is_summed_and_the_worst_is_told() -> None:
    hearts = heard(
        beat("a"), beat("b", lag_ms_p99=90.0, hop_stretch=3.0, model="other"), beat("c", lag_ms_p99=None)
    )

    told = hearts.beat({"music": 6}, {}, 1.0)

    assert counted(told) == (300, 30, 3, 6.0)
    assert (told.daemons, told.workers, told.lag_ms_p99, told.hop_stretch) == (3, 3, 90.0, 3.0)
    assert (told.model, told.provider) == ("other, tiny", "cpu")
    jsonschema.validate(msgspec.to_builtins(told), schema("heartbeat"))


def test_the_middle_is_that_of_the_stations() -> None:
    hearts = heard(
        beat("a", lag_ms_p50=10.0, stations={"music": 1}),
        beat("b", lag_ms_p50=50.0, stations={"music": 5, "speech": 4}),
        beat("c", lag_ms_p50=None),
    )

    assert hearts.beat({}, {}, 1.0).lag_ms_p50 == 50.0


def test_a_daemon_that_is_gone_counts_no_more_and_what_it_has_counted_stays() -> None:
    hearts = heard(beat("a"), beat("b"))
    hearts.take(beat("b", windows=150), GONE_S)

    for at in (GONE_S + 1.0, FORGOTTEN_S + 1.0, 3 * FORGOTTEN_S):
        told = hearts.beat({}, {}, at)
        assert counted(told) == (250, 20, 2, 4.0)
    assert hearts.beat({}, {}, GONE_S + 1.0).daemons == 0


def test_of_more_daemons_than_there_can_be_the_last_ones_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearts, "MOST_DAEMONS", 2)
    made_up = heard(beat("a", model="a"), beat("b", model="b"), beat("a", model="a"), beat("c", model="c"))

    told = made_up.beat({}, {}, 1.0)

    assert (told.daemons, told.model) == (2, "a, c")


def test_without_daemons_there_is_one_too() -> None:
    told = heard().beat({}, {}, 1.0)

    assert (told.daemons, told.windows, told.lag_ms_p50, told.model) == (0, 0, None, "")
    jsonschema.validate(msgspec.to_builtins(told), schema("heartbeat"))


def test_a_gateway_behind_a_gateway_counts_as_its_daemons() -> None:
    assert heard(beat("a"), beat("g", daemons=7)).beat({}, {}, 1.0).daemons == 8


def test_an_attendant_is_told_as_it_is_where_it_is_worst() -> None:
    hearts = heard(beat("a", attendants={"history": WELL}), beat("b", attendants={"history": ILL}))

    assert hearts.beat({}, {"history": WELL, "page": WELL}, 1.0).attendants == {"history": ILL, "page": WELL}


def test_what_is_no_heartbeat_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        heard(b'{"kind": "heartbeat"}')
