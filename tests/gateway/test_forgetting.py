"""What the gateway keeps of stations that have gone, and for how long."""

import sys

from streamer.gateway.voice import FORGOTTEN_S
from tests.gateway.voicing import NEW, OLD, SILENT_S, Daemon, read, told, voices


def test_a_station_that_was_removed_is_forgotten_after_an_hour_and_comes_again_as_a_new_one() -> None:
    at, daemon = voices(), Daemon(OLD)
    said = daemon.tells("connected") + daemon.hears()
    payloads = [payload for _, payload in said]
    held = [sys.getrefcount(payload) for payload in payloads]
    at.take(said, 0.0)
    removed = daemon.tells("stopped", "removed")
    at.take(removed, 1.0)

    for now in (2.0, 60.0, FORGOTTEN_S):
        assert at.take(daemon.replays() + said + removed, now) == []
        assert at.tick(now, 1e9 + now) == []
    at.tick(FORGOTTEN_S + 2.0, 2e9)

    assert [sys.getrefcount(payload) for payload in payloads] == held
    again = daemon.tells("connected") + daemon.hears("metal")
    assert at.take(again, FORGOTTEN_S + 3.0) == again
    assert at.states() == {"music": 1}


def test_a_station_that_is_lost_is_not_forgotten() -> None:
    at, daemon = voices(), Daemon(OLD)
    at.take(daemon.tells("connected") + daemon.hears(), 0.0)
    at.tick(SILENT_S + 1.0, 1e9)

    assert at.tick(100 * FORGOTTEN_S, 2e9) == []
    assert at.states() == {"no-signal": 1}
    assert at.take(daemon.replays(), 100 * FORGOTTEN_S) == []
    assert told(at.take(daemon.hears(), 100 * FORGOTTEN_S))[-1] == ("genre", OLD, "music")


def test_what_the_gateway_says_of_a_station_that_comes_again_has_no_number_that_was_there() -> None:
    at, numbers = voices(), []
    for boot, now in ((OLD, 0.0), (NEW, 2 * FORGOTTEN_S)):
        daemon = Daemon(boot)
        at.take(daemon.hears(), now)
        numbers += [(m["kind"], m["seq"]) for m in read(at.tick(now + SILENT_S + 1.0, 1e9 + now))]
        at.take(daemon.tells("stopped", "removed"), now + 10.0)
        at.tick(now + 10.0 + FORGOTTEN_S + 1.0, 1e9 + now)

    assert len(numbers) == len(set(numbers)) == 6
