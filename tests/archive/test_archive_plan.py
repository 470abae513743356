"""The plan of an archive: every file in one part, whatever comes later."""

import contextlib
import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.archive.listing import Media
from streamer.archive.place import Place
from streamer.archive.plan import FILES, PART_BYTES, PARTS, Tags, cut, file_name
from streamer.archive.todo import open_plan
from streamer.errors import ArchiveError

TAGS = Tags("tiny", "0" * 64, 1, ("jazz", "speech"))
MEDIA = st.builds(Media, st.binary(min_size=1, max_size=12), st.integers(0, PART_BYTES * 2))
LISTS = st.lists(MEDIA, unique_by=lambda media: media.path, max_size=60)
_numbers = itertools.count()


@contextlib.contextmanager
def somewhere() -> Iterator[Place]:
    """Give a place in memory that holds nothing yet."""
    place = Place(f"memory://plan-{next(_numbers)}")
    yield place
    with contextlib.suppress(FileNotFoundError):
        place._store.rm(place._root, recursive=True)


@given(LISTS, st.integers(0, 1000))
def test_each_file_is_in_one_part_in_order(media, first):
    parts = cut(media, first)

    assert [each for part in parts for each in part.media] == media
    assert [part.number for part in parts] == list(range(first, first + len(parts)))


@given(LISTS)
def test_no_part_is_more_than_what_a_kill_may_cost(media):
    for part in cut(media, 0):
        assert 1 <= len(part.media) < FILES.stop
        assert len(part.media) == 1 or part.size <= PART_BYTES


@pytest.mark.parametrize("files", [1, 100, 30_000, 700_000])
def test_many_files_make_parts_by_the_thousand_and_not_by_the_million(files):
    parts = cut((Media(b"%d" % number, 1) for number in range(files)), 0)

    assert len(parts) <= max(PARTS, files / (FILES.stop - 1) + 1)
    assert all(len(part.media) >= FILES.start for part in parts[:-1])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(LISTS, st.sets(st.integers(0, 8))), min_size=1, max_size=4))
def test_runs_that_follow_each_other_lose_nothing_and_double_nothing(runs):
    """Each run lists what it lists and does some of its parts before it is killed."""
    with somewhere() as place:
        listed: set[bytes] = set()
        done: list[bytes] = []
        for media, ended in runs:
            plan = open_plan(place, media, TAGS)
            new = {each.path for each in media} - listed
            assert plan.new == len(new)
            listed |= new
            assert sorted(each.path for part in plan.parts for each in part.media) == sorted(listed)
            for part in (part for at, part in enumerate(plan.todo) if at in ended):
                place.write(f"files/{file_name(part.number)}", b"")
                done += [each.path for each in part.media]
        done += [each.path for part in open_plan(place, [], TAGS).todo for each in part.media]

        assert sorted(done) == sorted(listed)


def test_files_that_are_not_named_any_more_are_counted_and_kept():
    with somewhere() as place:
        open_plan(place, [Media(b"a", 1), Media(b"b", 1)], TAGS)

        plan = open_plan(place, [Media(b"b", 1)], TAGS)

    assert plan.unnamed == 1
    assert [each.path for part in plan.todo for each in part.media] == [b"a", b"b"]


def test_the_largest_part_comes_first():
    with somewhere() as place:
        media = [Media(b"%d" % number, PART_BYTES * number) for number in range(5)]

        sizes = [part.size for part in open_plan(place, media, TAGS).todo]

    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    "tags",
    [
        Tags("other", "0" * 64, 1, TAGS.labels),
        Tags("tiny", "1" * 64, 1, TAGS.labels),
        Tags("tiny", "0" * 64, 2, TAGS.labels),
    ],
)
def test_an_archive_is_tagged_with_one_model(tags):
    with somewhere() as place:
        open_plan(place, [Media(b"a", 1)], TAGS)

        with pytest.raises(ArchiveError) as told:
            open_plan(place, [Media(b"a", 1)], tags)

    assert place.out in told.value.message
    assert "--out" in told.value.remedy


@pytest.mark.parametrize("data", [b"", b"PAR1 and no more", b"x" * 1000])
def test_what_is_no_plan_is_told(data):
    with somewhere() as place:
        place.write("plan-0000.parquet", data)

        with pytest.raises(ArchiveError, match=r"plan-0000\.parquet"):
            open_plan(place, [Media(b"a", 1)], TAGS)
