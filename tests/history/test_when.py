"""Moments as people write them, in their own zone."""

from datetime import UTC, datetime

import pytest

from streamer.history.when import beginning, day, moment

pytestmark = pytest.mark.usefixtures("berlin")

NOW = datetime(2026, 11, 26, 20, 0, tzinfo=UTC).timestamp()  # 21:00 in Berlin


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("now", "2026-11-26T20:00"),
        ("90s", "2026-11-26T19:58:30"),
        ("2h", "2026-11-26T18:00"),
        ("7d", "2026-11-19T20:00"),
        ("2w", "2026-11-12T20:00"),
        ("today", "2026-11-25T23:00"),
        ("yesterday", "2026-11-24T23:00"),
        ("2026-07-01", "2026-06-30T22:00"),
        ("2026-07-01T12:00", "2026-07-01T10:00"),
        ("2026-07-01 12:00:05", "2026-07-01T10:00:05"),
        ("2026-07-01T12:00Z", "2026-07-01T12:00"),
        ("2026-07-01T12:00+05:30", "2026-07-01T06:30"),
    ],
)
def test_a_moment_is_read_in_the_viewers_zone(text, utc):
    assert datetime.fromtimestamp(moment(text, NOW), UTC) == datetime.fromisoformat(f"{utc}+00:00")


@pytest.mark.parametrize(
    "text", ["", "7", "d", "7y", "-2h", "tomorrow", "2026-13-01", "0001-01-01", "12:00", "=1"]
)
def test_what_is_no_moment_is_named(text):
    with pytest.raises(ValueError, match="is no time"):
        moment(text, NOW)


def test_days_are_as_long_as_they_are():
    def hours(text: str) -> float:
        return (beginning(day("2026-10-26", NOW)) - beginning(day(text, NOW))) / 3600

    assert hours("2026-10-25") == 25  # the clock is set back
    assert hours("2026-10-24") == 49
