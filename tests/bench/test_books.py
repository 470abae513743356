"""What a subscriber hears is counted truthfully."""

import pytest

from bench.books import Books, Told
from bench.trial import latencies_ms, percentile


def heard(*genre: Told, beats: tuple[Told, ...] = ()) -> Books:
    """Give the books of one station that told this."""
    books = Books(None, ["s0"])  # type: ignore[arg-type]
    for told in (Told("status", "s0", 0, event="connected"), *genre, *beats):
        books.take(told)
    return books


def window(number: int, *, seq: int | None = None, at: float | None = None, **fields: object) -> Told:
    """Give the message of the window that ends at a second, received 0.1 s after it unless said otherwise."""
    values = {"position": float(number), "hop": 1.0, "state": "music", "lag_ms": 10.0 * number} | fields
    seq, at = number if seq is None else seq, number + 0.1 if at is None else at
    return Told("genre", "s0", seq, at=at, **values)  # type: ignore[arg-type]


def test_nothing_is_lost_where_every_window_came() -> None:
    books = heard(*map(window, range(10)))

    lost = books.lost(2.0, 10.0, 1.0)

    assert (lost.windows, lost.uneven) == (0, 0)
    assert books.lags_ms(2.0, 5.0) == [20.0, 30.0, 40.0]


def test_hole_in_seq_is_counted_once() -> None:
    lost = heard(*(window(n) for n in range(10) if n not in (4, 5))).lost(2.0, 10.0, 1.0)

    assert (lost.seq, lost.position, lost.windows) == (2, 0, 2)


def test_window_that_was_never_told_is_seen_by_its_position() -> None:
    told = [window(n, seq=i) for i, n in enumerate(n for n in range(10) if n != 6)]

    lost = heard(*told).lost(2.0, 10.0, 1.0)

    assert (lost.seq, lost.position, lost.windows) == (0, 1, 1)


def test_stretched_hop_loses_nothing_and_is_told() -> None:
    told = [window(2 * n, seq=n, hop=2.0) for n in range(5)]
    beat = Told("heartbeat", "-", 0, hop_stretch=2.0, at=5.0)
    books = heard(*told, beats=(beat,))

    assert books.lost(2.0, 9.0, 1.0).windows == 0
    assert books.hop_stretch(2.0) == 2.0


def test_station_that_falls_silent_loses_what_was_due() -> None:
    lost = heard(*map(window, range(5))).lost(2.0, 10.1, 1.0)

    assert lost.windows == 5  # those of 5 to 9


def test_new_connection_loses_the_time_between() -> None:
    after = [window(n, seq=n + 4, at=n + 8.1) for n in range(3)]

    lost = heard(*map(window, range(4)), *after).lost(2.0, 10.5, 1.0)

    assert lost.position == 4  # due at 4.1 to 7.1


def test_replay_is_no_window() -> None:
    books = heard(*map(window, range(5)), window(4))

    assert len(books.stations["s0"].genre) == 5


def test_gap_counts_once_however_many_windows_it_is_in() -> None:
    told = [window(n, gap=n in (4, 5, 6)) for n in range(10)]

    lost = heard(*told).lost(2.0, 10.0, 1.0)

    assert (lost.gap, lost.windows) == (1, 1)


def test_dropped_of_the_heartbeat_counts_from_the_beginning_of_the_measuring() -> None:
    beats = tuple(
        Told("heartbeat", "-", n, dropped=dropped, at=5.0 * n) for n, dropped in enumerate((0, 3, 7))
    )

    lost = heard(*map(window, range(11)), beats=beats).lost(6.0, 11.0, 1.0)

    assert (lost.dropped, lost.windows) == (4, 4)


def test_all_are_heard_once_each_has_connected_and_told_a_window() -> None:
    books = Books(None, ["s0"])  # type: ignore[arg-type]
    books.take(window(0, state="no-signal"))
    books.take(Told("status", "s0", 0, event="connected"))
    assert not books.all_heard(0.0)

    books.take(window(1))

    assert books.all_heard(0.0)


def test_latency_is_from_the_sending_of_the_last_sample() -> None:
    times = [100.0 + 0.1 * n for n in range(200)]
    seconds = [1.0 + 0.1 * n for n in range(200)]  # a burst of a second, then real time

    found = latencies_ms([(8.05, 107.15), (3.0, 102.1)], [(100.0, times, seconds)])

    assert found == pytest.approx([50.0])  # sent at 107.1; the other is of the first seconds


def test_latency_is_of_the_connection_that_was_open() -> None:
    first = (100.0, [100.0, 110.0], [5.0, 15.0])
    second = (120.0, [120.0, 130.0], [5.0, 15.0])

    assert latencies_ms([(14.0, 130.02)], [first, second]) == pytest.approx([20.0])


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_percentile_is_the_nearest_rank(share: float, value: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], share) == value


def test_percentile_of_nothing_is_none() -> None:
    assert percentile([], 0.99) is None
