"""What a store promises, on every database that it may lie in."""

import threading
from collections.abc import Callable

import pytest

from streamer.errors import HistoryError, HistoryLockedError, HistoryServerError, HistoryVersionError
from streamer.history import schema
from streamer.history.retain import retain
from streamer.history.rows import DAY_S, HOUR_S, Heard, Open, Segment, TrackRow
from streamer.history.store import Store
from tests.history.saying import NOON

Opened = Callable[..., Store]


def segment(start: float, end: float, what: str = "jazz", station: str = "kexp") -> Segment:
    state, genre = ("speech", None) if what == "speech" else ("music", what)
    return Segment(station, state, genre, 0.8, NOON + start, NOON + end)


def track(start: float, end: float, title: str = "A - B", seq: int = 0) -> Heard:
    return Heard("b1", seq, TrackRow("kexp", title, "jazz", 0.7, NOON + start, NOON + end, end - start))


def test_what_is_written_is_read_by_another(opened: Opened):
    rows = [segment(0, 60), segment(60, 90, "speech"), segment(10, 70, "rock", station="fip")]
    tracks = [track(0, 60, "'; DROP TABLE track; --"), track(60, 60, "at once", seq=1)]

    opened(write=True).write(rows, tracks, [])

    assert opened().segments() == sorted(rows, key=lambda s: s.start)
    assert opened().tracks() == [heard.track for heard in tracks]


def test_rows_are_found_by_station_time_and_genre(opened: Opened):
    rows = [segment(0, 60), segment(60, 90, "speech"), segment(90, 99, "rock"), segment(5, 50, station="fip")]
    store = opened(write=True)
    store.write(rows, [track(0, 60), track(60, 90, seq=1)], [Open("b1", segment(99, 120))])

    assert store.segments(station="fip") == rows[3:]
    assert store.segments(station="kexp", since=NOON + 60, until=NOON + 99) == rows[1:3]
    assert store.segments(since=NOON + 30, until=NOON + 40) == [rows[0], rows[3]]
    assert store.segments(genre="speech") == rows[1:2]
    assert store.segments(genre="jazz", station="kexp") == [rows[0], segment(99, 120)]
    assert store.segments(station="kexp", limit=2) == [rows[2], segment(99, 120)]
    assert [t.end - NOON for t in store.tracks(since=NOON + 60)] == [90]
    assert [t.end - NOON for t in store.tracks(until=NOON + 60, genre="jazz")] == [60]
    assert len(store.tracks(limit=1)) == 1
    assert store.tracks(station="fip") == []


def test_hours_share_what_segments_have_of_them(opened: Opened):
    store = opened(write=True)
    open_one = Open("b1", segment(2 * HOUR_S, 2.5 * HOUR_S, "speech"))
    store.write([segment(1800, 1.5 * HOUR_S), segment(1.5 * HOUR_S, 2 * HOUR_S, "rock")], [], [open_one])

    hours = [(h.hour - NOON, h.what, h.seconds) for h in store.hours(station="kexp")]

    assert hours == [
        (0, "jazz", 1800),
        (HOUR_S, "jazz", 1800),
        (HOUR_S, "rock", 1800),
        (2 * HOUR_S, "speech", 1800),
    ]
    assert [h.what for h in store.hours(since=NOON + HOUR_S, until=NOON + 2 * HOUR_S)] == ["jazz", "rock"]


def test_writing_twice_counts_once(opened: Opened):
    store = opened(write=True)
    rows = ([segment(0, 60)], [track(0, 60)], [Open("b1", segment(60, 70))])

    store.write(*rows)
    store.write(*rows)

    assert len(store.segments()) == 2
    assert len(store.tracks()) == 1
    assert sum(hour.seconds for hour in store.hours()) == 70


def test_an_open_segment_grows_and_is_where_a_writer_goes_on(opened: Opened):
    store = opened(write=True)

    for end in (10, 20, 30):
        store.write([], [], [Open("b1", segment(0, end))])

    assert opened().open_segments() == [Open("b1", segment(0, 30))]
    assert opened().segments() == [segment(0, 30)]
    assert opened().stations() == ["kexp"]


def test_what_fails_in_the_middle_leaves_nothing_behind(opened: Opened):
    store = opened(write=True)

    with pytest.raises(HistoryError):
        store.write([segment(0, 60), Segment(None, "music", "x", 0.1, NOON, NOON + 1)], [], [])  # type: ignore[arg-type]

    assert store.segments() == []
    assert store.hours() == []
    store.write([segment(0, 60)], [], [])
    assert len(store.segments()) == 1


def test_what_is_too_old_goes_in_slices(opened: Opened, monkeypatch):
    monkeypatch.setattr("streamer.history.retain.SLICE", 10)
    store = opened(write=True)
    days = [segment(d * DAY_S, d * DAY_S + 60) for d in range(50)]
    store.write(days, [track(d * DAY_S, d * DAY_S + 60, seq=d) for d in range(50)], [])

    rounds = 1
    while retain(store, keep_days=20, max_mb=1000, now=NOON + 50 * DAY_S):
        rounds += 1

    assert rounds == 4
    assert store.segments() == days[30:]
    assert len(store.tracks()) == 20
    assert len(store.hours()) == 20


def test_a_history_that_is_not_there_is_not_made_by_reading(url: str):
    for _ in range(2):
        with pytest.raises(HistoryError, match="there is no history"):
            Store.open(url)


def test_tables_of_a_version_before_are_brought_up_to_date_and_keep_their_rows(opened: Opened, monkeypatch):
    opened(write=True).write([segment(0, 60)], [track(0, 60)], [])
    step = ("ALTER TABLE track ADD COLUMN note TEXT",)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, step))
    for module in ("schema", "sqlite", "postgres"):
        monkeypatch.setattr(f"streamer.history.{module}.VERSION", 2)

    with pytest.raises(HistoryVersionError, match="of version 1"):
        opened()
    store = opened(write=True)
    assert opened().segments() == [segment(0, 60)]
    assert opened(write=True).tracks() == store.tracks() == [track(0, 60).track]

    monkeypatch.undo()
    with pytest.raises(HistoryVersionError, match="of version 2") as newer:
        opened(write=True)
    assert newer.value.remedy == "update genrecast"


def test_a_reader_is_not_in_the_writers_way(opened: Opened):
    store = opened(write=True)
    store.write([segment(t, t + 1) for t in range(0, 2000, 2)], [], [])
    ended = threading.Event()

    def read() -> None:
        reader = opened()
        while not ended.is_set():
            assert len(reader.segments()) >= 1000

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for t in range(2000, 2200, 2):
            store.write([segment(t, t + 1)], [], [])
    finally:
        ended.set()
        thread.join()

    assert len(store.segments()) == 1100


@pytest.mark.system
def test_a_server_that_goes_away_is_told_and_its_password_is_not(postgres):
    url = postgres.url().replace("test@", "test:s3cret@")
    store = Store.open(url, write=True)
    postgres.stop()
    try:
        with pytest.raises(HistoryServerError) as raised:
            store.write([segment(0, 60)], [], [])
        with pytest.raises(HistoryServerError) as refused:
            Store.open(url, write=True)
    finally:
        store.close()
        postgres.start()

    for error in (raised.value, refused.value):
        assert "s3cret" not in error.message
        assert "\n" not in error.message


@pytest.mark.system
def test_a_lock_on_the_server_is_waited_for_a_second_only(postgres, monkeypatch):
    import psycopg

    url = postgres.url()
    store = Store.open(url, write=True)
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE genrecast.segment")
        with pytest.raises(HistoryLockedError):
            store.write([segment(0, 60)], [], [])
        holder.rollback()
    store.write([segment(0, 60)], [], [])
    assert len(store.segments()) == 1
    store.close()
