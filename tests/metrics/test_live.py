"""What is told of a daemon and its stations, from what they said and when."""

from typing import Any, get_args

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streamer.flow import State
from streamer.metrics.collect import MOST_STATIONS, GenrecastCollector
from streamer.metrics.live import FRESH_S, Live

Message = dict[str, Any]
ZERO = 1_000_000_000.0  # Unix time of the tests' second 0
UTC = "2001-09-09T01:46:40.000Z"  # the same


def heartbeat(**more: object) -> Message:
    told = {
        "version": "1", "model": "m", "provider": "cpu", "uptime": 9.0, "stations": {"music": 1},
        "cpu_by_stage": {"model": 1.5}, "rss_mb": 100.0, "lag_ms_p50": None, "lag_ms_p99": 250.0,
        "windows": 7, "dropped": 2, "hop_stretch": 1.0, "workers": 1, "restarts": 0, "attendants": {},
        "daemons": 1,
    }  # fmt: skip
    return {"kind": "heartbeat", "station": "-", "boot": "b", "time": UTC} | told | more


def status(event: str, station: str = "a", reason: str = "ok", **more: object) -> Message:
    return {
        "kind": "status",
        "station": station,
        "boot": "b",
        "time": UTC,
        "event": event,
        "reason": reason,
    } | more


def genre(station: str = "a", **more: object) -> Message:
    told = {"state": "music", "confidence": 0.5, "lag_ms": 100.0, "level_dbfs": -20.0}
    return {"kind": "genre", "station": station, "boot": "b", "time": UTC} | told | more


def live(*messages: Message) -> Live:
    """Give what is known after messages that came at second 0."""
    known = Live()
    for message in messages:
        known.take(message, 0.0)
    return known


def samples(known: Live, now: float = 0.0) -> dict[str, float]:
    """Give what Prometheus reads, in its own words."""
    collector = GenrecastCollector(known, lost=lambda: 3, now=lambda: now, time=lambda: ZERO + now)
    families = text_string_to_metric_families(generate_latest(collector).decode())
    return {
        sample.name.removeprefix("genrecast_") + "".join(f"/{value}" for value in sample.labels.values()):
        sample.value
        for family in families for sample in family.samples
    }  # fmt: skip


def test_a_heartbeat_is_told_in_base_units():
    told = samples(
        live(heartbeat(attendants={"history": {"state": "trouble"}, "page": {"state": "running"}}))
    )

    assert (told["up"], told["windows_total"], told["windows_dropped_total"]) == (1.0, 7.0, 2.0)
    assert told["resident_memory_bytes"] == 100 * 2**20
    assert told["lag_seconds/0.99"] == 0.25
    assert "lag_seconds/0.5" not in told
    assert told["cpu_seconds_total/model"] == 1.5
    assert (told["attendant_up/history"], told["attendant_up/page"]) == (0.0, 1.0)
    assert told["bus_messages_lost_total"] == 3.0


def test_states_without_a_station_are_told_as_zero():
    told = samples(live(heartbeat(stations={"silence": 4})))

    counts = {state: told[f"stations/{state}"] for state in get_args(State)}
    assert counts == dict.fromkeys(get_args(State), 0.0) | {"silence": 4.0}


def test_of_a_daemon_that_is_gone_only_that_is_told():
    known = live(heartbeat(), genre(), status("lost", reason="source-http"))
    known.take(genre(), FRESH_S)  # a station's message is no heartbeat

    told = samples(known, FRESH_S)

    assert told == {
        "up": 0.0,
        "heartbeat_age_seconds": FRESH_S,
        "bus_messages_lost_total": 3.0,
        "reconnects_total/source-http": 1.0,
    }


def test_a_removed_station_vanishes():
    known = live(heartbeat(), status("connected"), genre(), status("connecting", "b"), genre("b"))
    known.take(status("stopped", "b", "removed"), 0.0)

    told = samples(known)

    assert [name for name in told if name.endswith("/b") or "/b/" in name] == []
    assert told["station_state/music/a"] == 1.0
    assert told["longest_without_signal_seconds"] == 0.0


def test_a_daemon_that_began_anew_brings_its_own_stations():
    known = live(heartbeat(), status("lost", reason="worker"), genre())
    known.take(heartbeat(boot="c"), 1.0)

    told = samples(known, 1.0)

    assert not any(name.startswith("station_") for name in told)
    assert told["longest_without_signal_seconds"] == 0.0
    assert told["reconnects_total/worker"] == 1.0


def test_at_a_gateway_stations_have_boots_of_their_own() -> None:
    known = live(
        heartbeat(boot="gateway"), genre(), genre("b"), status("connected"), status("connected", "b")
    )
    known.take(genre("b", boot="another"), 1.0)
    known.take(status("lost", "c", "upstream", boot="gateway"), 1.0)
    known.take(heartbeat(boot="the gateway that follows it"), 2.0)

    assert set(known.stations) == {"a", "b"}
    assert set(known.without_signal) == {"a", "b"}
    assert known.reconnects == {"upstream": 1}


def test_reconnects_are_counted_by_known_reasons_and_all_else_is_other():
    reasons = ["worker", "source-stalled", "source-stalled", "x" * 99, "\n", ""]
    told = samples(live(*(status("lost", reason=reason) for reason in reasons)))

    counted = {name.partition("/")[2]: n for name, n in told.items() if name.startswith("reconnects")}
    assert counted == {"worker": 1.0, "source-stalled": 2.0, "other": 3.0}


def test_the_longest_silence_is_counted_through_all_attempts_until_there_is_signal():
    known = live(heartbeat(), status("connected", "a"), status("connecting", "b"))
    for event in ("lost", "retrying", "connecting", "lost"):
        known.take(status(event, "b", time="2001-09-09T01:50:00.000Z"), 5.0)

    assert samples(known, 5.0)["longest_without_signal_seconds"] == 5.0

    known.take(status("connected", "b"), 6.0)

    assert samples(known, 6.0)["longest_without_signal_seconds"] == 0.0


@pytest.mark.parametrize(
    ("reason", "seconds"), [("source-ended", 0.0), ("quarantined", 9.0), ("not-audio", 9.0)]
)
def test_a_file_that_ended_is_no_silence_and_a_station_that_was_given_up_is_one(reason, seconds):
    known = live(heartbeat(), status("stopped", reason=reason))

    assert samples(known, 9.0)["longest_without_signal_seconds"] == seconds


def test_series_of_stations_are_bounded_and_those_left_out_are_counted():
    known = live(heartbeat(), *(genre(f"s{i:05}") for i in range(MOST_STATIONS + 5)))

    told = samples(known)

    assert sum(name.startswith("station_state/") for name in told) == MOST_STATIONS
    assert told["stations_left_out"] == 5.0


def test_a_level_of_digital_silence_is_not_told():
    told = samples(live(heartbeat(), genre(state="silence", level_dbfs=None)))

    assert told["station_state/silence/a"] == 1.0
    assert not any(name.startswith("station_level") for name in told)


def test_healthy_is_a_daemon_that_was_heard_of_within_three_heartbeats():
    known = live(heartbeat())

    assert Live().trouble(0.0) == "nothing has been heard of the daemon yet"
    assert known.trouble(FRESH_S - 0.1) is None
    assert known.trouble(FRESH_S + 1) == "nothing has been heard of the daemon for 16 s"


def test_ready_is_a_daemon_of_which_every_station_has_been_heard():
    known = live(heartbeat(stations={"music": 1, "no-signal": 2}), status("connected", "a"))
    assert known.unready(0.0) == "2 station(s) have not been heard of yet"

    known.take(status("lost", "b"), 0.0)
    known.take(status("connecting", "c"), 0.0)
    assert known.unready(0.0) is None
    assert known.unready(FRESH_S) is not None
