"""What becomes of messages, whatever happened on the way: never overlapping, never longer than heard."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.history.backlog import Backlog
from streamer.history.rows import DAY_S, Heard, Open, Segment, by_hour
from streamer.history.segments import Fold
from tests.history.saying import NOON, Voice


class Told:
    """A fold, and what it has folded so far as (what, start, end), seconds after noon."""

    def __init__(self, *stored: Open) -> None:
        self.backlog = Backlog()
        self.fold = Fold(self.backlog)
        self.fold.resume(list(stored))

    def hear(self, *messages: dict) -> None:
        for message in messages:
            self.fold.take(message)

    @property
    def rows(self) -> list[Segment]:
        part = self.backlog.slice()
        return [*part.segments, *(one.segment for one in part.opened if one.segment.end > one.segment.start)]

    @property
    def segments(self) -> list[tuple[str, float, float]]:
        return [(s.genre or s.state, s.start - NOON, s.end - NOON) for s in self.rows]


def test_segments_follow_each_other_without_a_hole():
    told, voice = Told(), Voice()

    told.hear(*(voice.genre(NOON + t, "jazz" if t < 5 else "speech") for t in range(10)))

    assert told.segments == [("jazz", 0, 5), ("speech", 5, 9)]


def test_confidence_is_the_mean_over_time():
    told, voice = Told(), Voice()

    told.hear(voice.genre(NOON, confidence=0.5), voice.genre(NOON + 1, confidence=0.5))
    told.hear(voice.genre(NOON + 4, confidence=0.9))

    assert told.rows[0].confidence == pytest.approx((0.5 * 1 + 0.9 * 3) / 4)


def test_a_late_keeper_knows_since_when_it_has_been_so():
    told, voice = Told(), Voice()
    voice.genre(NOON)
    voice.lose(99)

    told.hear(voice.genre(NOON + 100))

    assert told.segments == [("jazz", 0, 100)]


def test_a_station_that_is_not_heard_of_any_more_ends_at_its_last_message():
    told, voice = Told(), Voice()

    told.hear(*(voice.genre(NOON + t) for t in range(3)), voice.genre(NOON + 3600), voice.genre(NOON + 3601))

    assert told.segments == [("jazz", 0, 2), ("jazz", 3600, 3601)]


def test_a_daemon_that_was_stopped_for_a_minute_leaves_a_hole():
    told, voice = Told(), Voice()

    told.hear(voice.genre(NOON), voice.genre(NOON + 1))
    told.hear(voice.genre(NOON + 61, "rock"), voice.genre(NOON + 62, "rock"))

    assert told.segments == [("jazz", 0, 1), ("rock", 61, 62)]


def test_messages_lost_on_the_way_leave_no_hole_where_nothing_changed():
    told, voice = Told(), Voice()

    told.hear(voice.genre(NOON), voice.genre(NOON + 1))
    voice.lose(58)
    told.hear(voice.genre(NOON + 60))

    assert told.segments == [("jazz", 0, 60)]


def test_what_changed_while_messages_were_lost_begins_when_it_says():
    told, voice = Told(), Voice()

    told.hear(voice.genre(NOON), voice.genre(NOON + 1))
    voice.genre(NOON + 30, "rock")
    told.hear(voice.genre(NOON + 60, "rock"))

    assert told.segments == [("jazz", 0, 1), ("rock", 30, 60)]


def test_a_new_run_of_the_daemon_begins_a_new_segment():
    told, before, after = Told(), Voice(boot="b1"), Voice(boot="b2")

    told.hear(before.genre(NOON), before.genre(NOON + 1), after.genre(NOON + 3), after.genre(NOON + 4))

    assert told.segments == [("jazz", 0, 1), ("jazz", 3, 4)]


@pytest.mark.parametrize(
    ("what", "segments"),
    [("jazz", [("jazz", 0, 12)]), ("rock", [("jazz", 0, 10), ("rock", 10, 12)])],
)
def test_a_station_that_moves_to_a_daemon_that_had_been_listening_leaves_no_hole(what, segments):
    told, old, new = Told(), Voice(boot="b1"), Voice(boot="b2")

    told.hear(*(old.genre(NOON + t) for t in range(11)))
    new.genre(NOON + 8.5, what)
    told.hear(new.genre(NOON + 11, what), new.genre(NOON + 12, what))

    assert told.segments == segments


def test_stations_of_many_daemons_take_turns_and_each_has_its_own_segment():
    told, voices = Told(), [Voice(f"s{n}", boot=f"b{n}") for n in range(3)]

    told.hear(*(voice.genre(NOON + t) for t in range(10) for voice in voices))

    assert told.segments == [("jazz", 0, 9)] * 3


def test_a_clock_set_back_an_hour_makes_nothing_overlap():
    told, before, after = Told(), Voice(boot="b1"), Voice(boot="b2")

    told.hear(before.genre(NOON + 3599), before.genre(NOON + 3600))
    told.hear(*(after.genre(NOON + t, hop=10.0) for t in range(0, 3700, 10)))

    assert told.segments == [("jazz", 3599, 3600), ("jazz", 3600, 3690)]


def test_a_clock_that_was_a_year_ahead_does_not_stop_history_for_a_year():
    told, before, after = Told(), Voice(boot="b1"), Voice(boot="b2")
    year = 365 * DAY_S

    told.hear(before.genre(NOON + year), before.genre(NOON + year + 1))
    told.hear(after.genre(NOON, "rock"), after.genre(NOON + 1, "rock"))

    assert told.segments == [("jazz", year, year + 1), ("rock", 0, 1)]


def test_a_keeper_that_was_killed_goes_on_with_the_same_segment():
    voice = Voice()
    first = voice.genre(NOON)
    stored = Open("b1", Segment("kexp", "music", "jazz", 0.8, NOON, NOON + 2))
    told = Told(stored)

    told.hear(first, voice.genre(NOON + 3))

    assert told.segments == [("jazz", 0, 3)]


def test_what_was_heard_before_the_database_could_be_read_gives_way_to_what_it_holds():
    told, voice = Told(), Voice()
    told.hear(voice.genre(NOON), voice.genre(NOON + 2), voice.genre(NOON + 4, "rock"))
    told.hear(voice.genre(NOON + 6, "rock"))

    told.fold.resume([Open("b0", Segment("kexp", "speech", None, 0.9, NOON - 9, NOON + 3))])

    assert sorted(told.segments, key=lambda s: s[1]) == [("speech", -9, 3), ("jazz", 3, 4), ("rock", 4, 6)]


def test_nothing_is_longer_than_a_day():
    told, voice = Told(), Voice()

    told.hear(*(voice.genre(NOON + t, "no-signal", hop=3600.0) for t in range(0, 200_000, 3600)))

    assert_sound(told.rows)
    assert told.segments[0][1] == 0
    assert told.segments[-1][2] == 198_000
    assert all(a.end == b.start for a, b in pairwise(told.rows))


def test_a_track_is_kept_with_what_strangers_call_it():
    told, voice = Told(), Voice()

    told.hear(voice.track(NOON, NOON + 200, title="a\0'; DROP TABLE track; --", genre=None))

    (heard,) = told.backlog.slice().tracks
    assert isinstance(heard, Heard)
    assert heard.track.title == "a\N{REPLACEMENT CHARACTER}'; DROP TABLE track; --"
    assert heard.track.confidence is None


def test_a_full_backlog_drops_the_oldest_and_counts_them():
    backlog = Backlog(bound=3)
    fold, voice = Fold(backlog), Voice()

    for t in range(5):
        fold.take(voice.track(NOON + t, NOON + t + 1))

    assert backlog.dropped == 2
    assert [heard.seq for heard in backlog.slice().tracks] == [2, 3, 4]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.25, 1.0, 1.0, 1.0, 4.0, 61.0, 4000.0, 90_000.0, -1.0, -3600.0]),
            st.sampled_from(["jazz", "rock", "speech", "no-signal"]),
            st.sampled_from(["goes on", "goes on", "is lost", "daemon restarts", "keeper restarts"]),
        ),
        max_size=60,
    )
)
def test_whatever_comes_nothing_overlaps_and_nothing_reaches_beyond_what_was_heard(steps):
    told, voice = Told(), Voice()
    kept: list[Segment] = []
    time = latest = NOON
    for number, (step, what, event) in enumerate(steps):
        if event == "daemon restarts":
            voice, time = Voice(boot=f"b{number}"), time + step
        else:
            time += max(step, 0.0)  # within one run of a daemon no station's time runs back
        latest = max(latest, time)
        if event == "keeper restarts":
            part = told.backlog.slice()
            kept += part.segments
            told = Told(*part.opened)
        message = voice.genre(time, what)
        if event != "is lost":
            told.hear(message, message)  # and nothing is told twice

    rows = kept + told.rows
    assert_sound(rows)
    assert all(row.end <= latest for row in rows)


def assert_sound(rows: list[Segment]) -> None:
    ordered = sorted(rows, key=lambda row: row.start)
    assert all(row.start < row.end <= row.start + DAY_S for row in ordered), ordered
    assert all(a.end <= b.start for a, b in pairwise(ordered)), ordered
    assert all(sum(s for _, s in by_hour(row)) == pytest.approx(row.end - row.start) for row in ordered)
