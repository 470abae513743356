"""What the page knows, from messages alone; time comes in as an argument."""

import json

import pytest

from streamer.page.state import FORGOTTEN_S, Stations, event
from streamer.page.station import RECENT, SILENT_S, STRIP_MOST
from streamer.publish.messages import utc

NOW = 1_800_000_000.0


def genre(
    station: str = "kexp", what: str = "jazz", at: float = NOW, since: float = NOW, **more: object
) -> dict:
    music = what not in ("speech", "silence", "no-signal")
    message = {
        "kind": "genre",
        "station": station,
        "boot": "b00t",
        "time": utc(at),
        "state": "music" if music else what,
        "genre": what if music else None,
        "confidence": 0.8,
        "since": utc(since),
        "level_dbfs": -20.4,
        "hop": 1.0,
        "title": None,
        "probabilities": {"jazz": 0.8, "speech": 0.2},
    }
    return message | more


def status(name: str, reason: str = "ok", detail: str = "", station: str = "kexp", **more: object) -> dict:
    message = {
        "kind": "status", "station": station, "boot": "b00t", "time": utc(NOW), "event": name,
        "reason": reason, "detail": detail,
    }  # fmt: skip
    return message | more


def heartbeat(boot: str = "b00t") -> dict:
    beat = {"version": "9", "model": "m", "provider": "cpu", "uptime": 1.0, "cpu": 0.1, "rss_mb": 1.0}
    load = {"lag_ms_p99": 1.0, "hop_stretch": 1.0, "attendants": {}}
    return {"kind": "heartbeat", "station": "-", "boot": boot, "time": utc(NOW)} | beat | load


def test_the_first_changes_are_all_and_the_next_only_what_is_new():
    stations = Stations(NOW)
    stations.take([genre("a"), genre("b")], NOW)
    first = stations.changes(NOW)
    stations.take([genre("a", at=NOW + 1), genre("b", at=NOW + 1, confidence=0.5)], NOW + 1)
    second = stations.changes(NOW + 1)

    assert [row["id"] for row in first["rows"]] == ["a", "b"]
    assert first["meters"] == [("a", 80, -20), ("b", 80, -20)]
    assert (second["rows"], second["meters"]) == ([], [("b", 50, -20)])


def test_a_strip_has_what_began_when_and_only_the_last_hour():
    stations = Stations(NOW)
    for minute in range(180):
        what, at = ("jazz", "speech")[minute % 2], NOW + 60 * minute
        stations.take([genre(what=what, at=at + second, since=at) for second in range(0, 60, 10)], at)

    strip = stations.all["kexp"].strip

    assert 60 <= len(strip) <= 62
    assert strip[-1] == (NOW + 60 * 179, "speech")


def test_a_station_that_changes_all_the_time_is_kept_no_longer_than_it_can_be_seen():
    stations = Stations(NOW)
    stations.take(
        [genre(what=("jazz", "speech")[i % 2], at=NOW + i, since=NOW + i) for i in range(1000)], NOW
    )

    assert len(stations.all["kexp"].strip) == STRIP_MOST


def test_where_nobody_listened_the_strip_has_a_hole():
    stations = Stations(NOW)
    stations.take([genre(at=NOW), genre(at=NOW + 600, since=NOW + 590)], NOW)

    assert list(stations.all["kexp"].strip) == [(NOW, "jazz"), (NOW, None), (NOW + 590, "jazz")]


def test_the_history_is_put_before_what_was_heard_also_for_stations_that_are_heard_later():
    stations = Stations(NOW)
    stations.take([genre("a", since=NOW - 10)], NOW)
    before = [(NOW - 100, "rock"), (NOW - 5, "jazz")]
    stations.remember({"a": before, "b": before[:1]})
    stations.take([genre("b")], NOW)

    assert list(stations.all["a"].strip) == [(NOW - 100, "rock"), (NOW - 10, "jazz")]
    assert list(stations.all["b"].strip) == [(NOW - 100, "rock"), (NOW, "jazz")]


def test_why_a_station_is_offline_is_told_until_it_is_connected_again():
    stations = Stations(NOW)
    station = [status("connecting"), status("lost", "source-connection", "reset"), genre(what="no-signal")]
    stations.take([*station, status("connecting")], NOW)
    lost = stations.all["kexp"].row()
    stations.take([status("connected")], NOW)

    assert (lost["event"], lost["reason"], lost["detail"]) == ("connecting", "source-connection", "reset")
    assert "reason" not in stations.all["kexp"].row()


def test_who_comes_when_the_last_status_was_a_title_knows_that_the_station_is_connected():
    stations = Stations(NOW)
    stations.take([status("title"), genre()], NOW)

    assert stations.all["kexp"].row()["event"] == "connected"


def test_a_daemon_that_says_nothing_is_lost_since_its_last_word():
    stations = Stations(NOW)
    stations.take([genre()], NOW)
    stations.take([], NOW + SILENT_S - 1)
    alive = stations.daemon()["lost"]
    stations.take([], NOW + SILENT_S + 1)
    lost = stations.daemon()["lost"]
    stations.take([genre(at=NOW + 60)], NOW + 60)

    assert (alive, lost, stations.daemon()["lost"]) == (None, NOW, None)


def test_stations_that_another_daemon_does_not_tell_of_are_not_shown_as_playing():
    stations = Stations(NOW)
    stations.take([heartbeat(), genre("a"), genre("b")], NOW)
    stations.take([genre("a", at=NOW + 1, boot="another"), heartbeat("another")], NOW + 1)
    rows = {id: station.row() for id, station in stations.all.items()}

    assert (rows["a"]["genre"], "reason" in rows["a"]) == ("jazz", False)
    assert (rows["b"]["state"], rows["b"]["event"], rows["b"]["reason"]) == (
        "no-signal",
        "stopped",
        "unheard",
    )


def test_at_a_gateway_the_boots_of_daemons_and_its_own_take_turns_and_all_stations_play():
    stations = Stations(NOW)
    for second in range(12):
        at = NOW + second
        one, two = genre("a", at=at, boot="one"), genre("b", at=at, boot="two")
        stations.take([one, heartbeat("gateway"), two], at)

        assert [row["genre"] for row in stations.whole(at)["stations"]] == ["jazz", "jazz"]

    assert [list(station.strip) for station in stations.all.values()] == [[(NOW, "jazz")]] * 2
    assert stations.changes(NOW + 12)["rows"] == [station.row() for station in stations.all.values()]


def test_at_a_gateway_a_daemon_that_begins_anew_or_is_lost_is_no_other_ones_trouble():
    stations = Stations(NOW)
    stations.take([heartbeat("gateway"), genre("a", boot="one"), genre("b", boot="two")], NOW)
    lost = status("lost", "upstream", "its daemon is gone", station="a", boot="gateway")
    stations.take([lost, genre("a", "no-signal", boot="gateway")], NOW)
    while_lost = {id: station.row() for id, station in stations.all.items()}
    stations.take([status("connected", station="a", boot="anew"), genre("a", boot="anew")], NOW + 1)

    assert (while_lost["a"]["state"], while_lost["a"]["reason"]) == ("no-signal", "upstream")
    assert while_lost["b"]["genre"] == "jazz"
    assert [station.row()["genre"] for station in stations.all.values()] == ["jazz", "jazz"]
    assert not any("reason" in station.row() for station in stations.all.values())


def test_a_gateway_that_begins_anew_leaves_the_stations_of_daemons_and_not_those_that_were_lost_to_it():
    stations = Stations(NOW)
    stations.take(
        [heartbeat("gateway"), genre("a", boot="one"), genre("b", "no-signal", boot="gateway")], NOW
    )
    stations.take([heartbeat("gateway anew")], NOW + 1)

    assert stations.all["a"].row()["genre"] == "jazz"
    assert stations.all["b"].row()["reason"] == "unheard"


def test_a_station_that_is_told_of_no_more_goes_after_an_hour():
    stations = Stations(NOW)
    stations.take([genre("a"), genre("b")], NOW)
    stations.changes(NOW)
    later = NOW + FORGOTTEN_S + 1
    stations.take([genre("a", at=later)], later)

    assert stations.changes(later)["gone"] == ["b"]
    assert list(stations.all) == ["a"]


def test_a_station_that_is_taken_out_of_the_configuration_goes_at_once():
    stations = Stations(NOW)
    stations.take([genre("a"), genre("b")], NOW)
    stations.changes(NOW)
    stations.take([status("stopped", "removed", station="b")], NOW)

    assert stations.changes(NOW)["gone"] == ["b"]
    assert list(stations.all) == ["a"]


def test_probabilities_of_the_last_minutes_are_kept_once_a_second():
    stations = Stations(NOW)
    stations.take([genre(at=NOW + i / 4) for i in range(8 * RECENT)], NOW)
    recent = stations.all["kexp"].told()["recent"]

    assert recent["labels"] == ("jazz", "speech")
    assert len(recent["times"]) == RECENT
    assert recent["times"][-1] - recent["times"][0] == pytest.approx(RECENT - 1, abs=1.5)
    assert recent["values"][-1] == pytest.approx([0.8, 0.2], abs=0.01)


def test_a_title_can_not_make_an_event_of_its_own():
    sent = event("some", {"title": "a\n\nevent: all\ndata: {}\r\u2028"})

    assert sent.count(b"\n") == 3
    assert b"\r" not in sent
    assert json.loads(sent.partition(b"data: ")[2])["title"].startswith("a\n\nevent")
