"""Which files have changed since they were tagged, and what is known of it."""

import pytest

from streamer.archive.listing import Media
from streamer.archive.place import Place
from streamer.archive.plan import Tags, file_name
from streamer.archive.todo import open_plan

TAGS = Tags("tiny", "0" * 64, 1, ("jazz", "speech"))
A, B = Media(b"a", 5, "monday"), Media(b"b", 7, "monday")


@pytest.fixture
def place():
    """Give a place in memory where a part of two files is done, without errors."""
    place = Place("memory://todo")
    open_plan(place, [A, B], TAGS)
    place.write(f"files/{file_name(0)}", b"")
    yield place
    place._store.rm(place._root, recursive=True)


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        (A, 0),
        (A._replace(size=6), 1),
        (A._replace(stamp="tuesday"), 1),
        (A._replace(size=0), 0),
        (A._replace(stamp=""), 0),
    ],
)
def test_a_file_has_changed_where_what_is_known_of_it_differs(place, now, changed):
    for _ in range(2):  # until it is tagged again
        plan = open_plan(place, [now, B], TAGS)

        assert plan.changed == changed
        assert not plan.todo


def test_what_has_changed_is_tagged_again_where_it_is_asked(place):
    later = A._replace(stamp="tuesday")
    plan = open_plan(place, [later, B], TAGS, again=True)

    (part,) = plan.todo
    assert plan.changed == 0
    assert part.changed == {b"a"}
    assert part.tried == (later,)
    assert open_plan(place, [later, B], TAGS).todo == [part]  # was begun


def test_a_file_that_changes_while_it_is_tagged_again_is_told_next_time(place):
    (part,) = open_plan(place, [A._replace(stamp="tuesday"), B], TAGS, again=True).todo
    place.remove(f"again/{file_name(0)}")

    assert open_plan(place, [part.media[0], B], TAGS).changed == 0
    assert open_plan(place, [A._replace(stamp="wednesday"), B], TAGS).changed == 1


def test_a_file_that_changes_before_it_is_tagged_has_not_changed_since(place):
    place.remove(f"files/{file_name(0)}")

    plan = open_plan(place, [A._replace(stamp="tuesday"), B], TAGS)

    assert plan.changed == 0
    assert plan.todo[0].media[0].stamp == "tuesday"


def test_a_part_that_is_not_done_is_done_as_a_whole_whatever_was_asked_again(place):
    open_plan(place, [A._replace(size=6), B], TAGS, again=True)
    place.remove(f"files/{file_name(0)}")

    (part,) = open_plan(place, [A, B], TAGS).todo

    assert part.tried == (A, B)
    assert not place.names("again")
