"""What becomes of stations and workers when a configuration is read again, on paper."""

import msgspec
import pytest

from streamer.config import Config, StationConfig
from streamer.engine.launch import deal
from streamer.engine.reload import answer, plan


def stations(*ids: str, **more: object) -> tuple[StationConfig, ...]:
    return tuple(StationConfig(id=id, source=f"http://127.0.0.1/{id}", **more) for id in ids)


BEFORE = Config(station=stations("a", "b", "c"))


@pytest.mark.parametrize("what", [{"source": "http://127.0.0.1/x"}, {"charset": "cp1251"}, {"duty": 0.5}])
def test_a_station_with_another_line_is_changed_and_the_others_are_left_alone(what):
    changed = msgspec.structs.replace(BEFORE.station[1], **what)
    told = answer(plan(BEFORE, Config(station=(BEFORE.station[0], changed, BEFORE.station[2]))))

    assert (told.changed, told.added, told.removed) == (["b"], [], [])


def test_stations_that_come_and_go_are_told_apart_and_their_order_means_nothing():
    told = answer(plan(BEFORE, Config(station=stations("d", "c", "a"))))

    assert (told.added, told.removed, told.changed) == (["d"], ["b"], [])


def test_another_duty_for_all_changes_those_that_have_none_of_their_own():
    own = (*stations("a"), *stations("b", duty=0.5))
    told = answer(plan(Config(station=own), Config(station=own, duty=0.4)))

    assert told.changed == ["a"]


def test_what_cannot_change_is_named_and_stays_as_it_was():
    what = plan(BEFORE, Config(bind="ipc://elsewhere", hop=3.0, station=stations("a", "b", "c")))

    assert set(what.restart) == {"bind", "hop"}
    assert (what.config.bind, what.config.hop) == (BEFORE.bind, BEFORE.hop)
    assert answer(what).lines() == ["needs a restart: bind, hop"]


def test_gateways_are_followed():
    here, there = "tcp://127.0.0.1:1", "tcp://127.0.0.1:2"
    what = plan(
        Config(station=BEFORE.station, gateways=(here,)), Config(station=BEFORE.station, gateways=(there,))
    )

    assert what.config.gateways == (there,)
    assert answer(what).lines() == [f"gateways joined or left: {here}, {there}"]


def test_standard_input_cannot_be_opened_later():
    what = plan(BEFORE, Config(station=(*BEFORE.station, StationConfig(id="pipe", source="stdin:"))))

    assert what.restart == ("station pipe (standard input)",)
    assert what.config.station == plan(BEFORE, BEFORE).config.station


def test_the_next_plan_begins_where_the_last_one_has_led():
    then = Config(station=stations("a", "d"), duty=0.5)

    assert answer(plan(plan(BEFORE, then).config, then)).lines() == ["nothing is new"]


def test_who_has_the_fewest_stations_gets_the_next_one():
    assert [len(hand) for hand in deal(stations("a", "b", "c", "d"), [5, 2], 2)] == [1, 3]


def test_a_worker_that_should_be_there_and_is_not_is_new():
    assert [len(hand) for hand in deal(stations("a", "b", "c"), [64], 2)] == [0, 3]


def test_no_worker_is_new_without_a_station():
    assert deal(stations("a"), [1], 8) == [[], list(stations("a"))]
    assert deal((), [1], 8) == [[]]


def test_workers_of_which_there_are_more_than_needed_stay():
    assert [len(hand) for hand in deal(stations("a", "b"), [1, 1, 1], 1)] == [1, 1, 0]
