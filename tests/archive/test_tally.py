"""How far a run is, in words."""

from streamer.archive.listing import Media
from streamer.archive.plan import Part
from streamer.archive.run import Done
from streamer.archive.tally import Tally

PARTS = [Part(0, (Media(b"a", 600), Media(b"b", 300))), Part(1, (Media(b"c", 100),))]


def test_a_run_says_how_far_it_is_and_how_long_it_takes():
    tally = Tally(PARTS, now=100.0)
    assert tally.line(100.0) == "0 of 3 files, 0 failed"

    tally.add(Done(0, 2, 1, 0, 3600.0, 900))

    assert (
        tally.line(190.0) == "2 of 3 files, 1 failed, 0.0 files/s, 0.01 h of audio/s, 0:10 left"
    )  # a tenth of the bytes

    tally.add(Done(1, 1, 0, 0, 1800.0, 100))

    assert tally.summary(3800.0) == "3 files, 1.5 hours of audio, 1 failed, in 1:01:40"
    assert "left" not in tally.line(3800.0)


def test_files_count_where_a_store_tells_no_bytes():
    tally = Tally([Part(0, (Media(b"a", 0),)), Part(1, (Media(b"b", 0),))], now=0.0)

    tally.add(Done(0, 1, 0, 0, 60.0, 0))

    assert tally.line(30.0).endswith("0:30 left")


def test_a_run_says_how_many_of_those_that_had_failed_are_tagged_now():
    tally = Tally([PARTS[0]._replace(failed=frozenset([b"a"])), PARTS[1]], now=0.0)
    assert tally.line(0.0) == "0 of 2 files, 0 failed"

    tally.add(Done(0, 1, 0, 1, 60.0, 600))

    assert tally.line(60.0).endswith("0:10 left")
    assert tally.summary(60.0).endswith("; of 1 that had failed 1 are tagged now")
