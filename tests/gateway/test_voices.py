"""Who is passed on at the gateway: nothing twice, in the wrong order or from two at once."""

from collections.abc import Iterable

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.publish.messages import schema
from tests.gateway.voicing import GATEWAY, NEW, OLD, SILENT_S, Daemon, read, told, voices


def test_what_one_daemon_says_is_passed_on_as_it_came_and_a_replay_is_not() -> None:
    at, daemon = voices(), Daemon(OLD)
    said = daemon.tells("connecting") + daemon.hears_nothing() + daemon.tells("connected") + daemon.hears()

    assert at.take(said, 0.0) == said
    assert at.take(daemon.replays(), 0.1) == []
    assert at.take(said, 0.2) == []


def test_what_is_none_of_ours_is_counted_and_passed_over() -> None:
    at = voices()
    right = Daemon(OLD).hears()[0][1]

    strange = [
        (b"genre/a/", b"rubbish"),
        (b"genre/a/", b"{}"),
        (b"genre/a/", b'{"seq": -1, "boot": "x"}'),
        (b"genre/a/", b'{"seq": 1, "boot": ""}'),
        (b"genre/a/", b'{"seq": 1, "boot": "x", "state": "anger"}'),
        (b"genre/a/", b"[" * 100_000),
        (b"genre/a/", b'{"x": ' * 100_000),
        (b"genre/a/", b'{"seq": 1e400, "boot": "x"}'),
        (b"genre/a/", b'{"seq": 0, "boot": "\xff"}'),
        (b"genre/../", right),
        (b"genre/a", right),
        (b"weather/a/", right),
        (b"\xff/a/", right),
    ]

    assert at.take(strange, 0.0) == []
    assert at.foreign == len(strange)
    assert at.tick(100.0, 1e9) == []
    assert at.states() == {}


def test_of_more_stations_than_there_can_be_the_first_ones_are_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streamer.gateway.voices.MOST_STATIONS", 2)
    at, (message,) = voices(), Daemon(OLD).hears()
    many = [(f"genre/{id}/".encode(), message[1]) for id in "abcd"]

    assert at.take(many, 0.0) == many[:2]
    assert (at.beyond, at.foreign) == (2, 0)


@pytest.mark.timeout(30)  # two minutes where each is weighed against all before
def test_whoever_comes_under_many_names_holds_up_nobody() -> None:
    at, last = voices(), Daemon(NEW)
    many = [Daemon(f"{number:05}").hears_nothing()[0] for number in range(20_000)]

    assert at.take(many, 0.0)[:1] == many[:1]
    assert told(at.take(last.hears(), 0.0))[-1] == ("genre", NEW, "music")


def test_a_newer_daemon_takes_over_when_it_is_heard_with_its_last_status_first() -> None:
    at, old, new = voices(), Daemon(OLD), Daemon(NEW)
    at.take(old.tells("connected") + old.hears(), 0.0)

    assert at.take(new.tells("connecting") + new.hears_nothing() + new.tells("connected"), 0.5) == []
    assert told(at.take(old.hears(), 1.0)) == [("genre", OLD, "music")]
    assert told(at.take(new.hears(), 1.5)) == [("status", NEW, "connected"), ("genre", NEW, "music")]
    assert at.take(old.hears(), 2.0) == []
    assert told(at.take(new.hears(), 2.5)) == [("genre", NEW, "music")]


def test_who_takes_over_and_says_something_else_brings_a_change_that_no_daemon_tells() -> None:
    at, old, new = voices(), Daemon(OLD), Daemon(NEW)
    at.take(old.hears("jazz"), 0.0)

    _, change, _ = read(at.take(new.tells("connected") + new.hears("metal"), 0.5))

    assert (change["kind"], change["boot"], change["seq"]) == ("change", GATEWAY, 0)
    assert (change["from"]["genre"], change["to"]["genre"]) == ("jazz", "metal")
    jsonschema.validate(change, schema("change"))


def test_a_station_that_moves_to_an_older_daemon_does_not_stop() -> None:
    at, old, new = voices(), Daemon(OLD), Daemon(NEW)
    at.take(new.tells("connected") + new.hears(), 0.0)
    at.take(old.tells("connecting") + old.hears_nothing(), 0.5)

    moved = at.take(new.tells("stopped", "removed"), 1.0)

    assert told(moved) == [
        ("status", OLD, "connecting"),
        ("change", GATEWAY, "no-signal"),
        ("genre", OLD, "no-signal"),
    ]
    assert at.removed() == []
    assert told(at.take(old.tells("connected") + old.hears(), 1.5))[-1] == ("genre", OLD, "music")


def test_where_nobody_else_listens_stopped_is_passed_on_and_removed_is_told() -> None:
    at, daemon = voices(), Daemon(OLD)
    at.take(daemon.hears(), 0.0)

    assert told(at.take(daemon.tells("stopped", "removed"), 1.0)) == [("status", OLD, "stopped")]
    assert (at.removed(), at.removed(), at.states()) == (["a"], [], {})
    assert at.tick(100.0, 1e9 + 100) == []

    assert told(at.take(daemon.tells("connecting"), 200.0)) == [("status", OLD, "connecting")]
    assert sum(at.states().values()) == 1


def test_an_older_daemon_that_alone_is_heard_speaks_until_the_newer_one_is_heard_again() -> None:
    at, old, new = voices(), Daemon(OLD), Daemon(NEW)
    at.take(new.hears(), 0.0)
    at.take(old.hears(), 0.1)

    assert told(at.take(new.hears_nothing(), 0.2))[-1] == ("genre", OLD, "music")
    assert told(at.take(old.hears(), 0.3)) == [("genre", OLD, "music")]
    assert told(at.take(new.hears(), 0.4))[-1] == ("genre", NEW, "music")
    assert at.take(old.hears(), 0.5) == []


def test_an_older_daemon_takes_over_when_the_newer_one_is_silent() -> None:
    at, old, new = voices(), Daemon(OLD), Daemon(NEW)
    at.take(new.hears(), 0.0)
    at.take(old.hears(), SILENT_S)

    assert told(at.tick(SILENT_S + 0.1, 1e9)) == [("genre", OLD, "music")]


def test_a_daemon_that_is_silent_is_told_as_lost_until_it_speaks_again() -> None:
    at, daemon = voices(), Daemon(OLD)
    at.take(daemon.tells("connected") + daemon.hears(), 0.0)

    assert at.tick(SILENT_S, 1e9 + 5) == []
    lost = at.tick(SILENT_S + 0.1, 1e9 + 5)
    assert told(lost) == [
        ("status", GATEWAY, "lost"),
        ("change", GATEWAY, "no-signal"),
        ("genre", GATEWAY, "no-signal"),
    ]
    assert read(lost)[0]["reason"] == "upstream"
    assert at.states() == {"no-signal": 1}
    assert at.tick(60.0, 1e9 + 60) == []
    for message in read(lost):
        jsonschema.validate(message, schema(message["kind"]))

    assert told(at.take(daemon.hears(), 61.0)) == [
        ("status", OLD, "connected"),
        ("change", GATEWAY, "music"),
        ("genre", OLD, "music"),
    ]
    assert at.states() == {"music": 1}
    assert [m["seq"] for m in read(at.tick(70.0, 1e9 + 70))] == [1, 2, 1]


def test_the_change_of_a_daemon_that_is_back_is_not_told_for_a_time_before_it_was_lost() -> None:
    at, daemon = voices(), Daemon(OLD)
    at.take(daemon.hears(), 0.0)
    lost = read(at.tick(SILENT_S + 2.0, 1e9 + SILENT_S + 2.0))

    back = read(at.take(daemon.hears(at=1.0), SILENT_S + 3.0))  # held up on its way

    assert [(m["kind"], m["boot"]) for m in back] == [("change", GATEWAY), ("genre", OLD)]
    assert back[0]["time"] == lost[-1]["time"] > back[1]["time"]


def test_a_long_hop_is_no_silence() -> None:
    at, daemon = voices(), Daemon(OLD)
    message = daemon.hears()[0][1].replace(b'"hop":1.0', b'"hop":20.0')
    at.take([(b"genre/a/", message)], 0.0)

    assert at.tick(59.0, 1e9) == []
    assert told(at.tick(61.0, 1e9))[0] == ("status", GATEWAY, "lost")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (b'"time":"2001-09-09T01', b'"time":"2001-09-09T99'),
        (b'"since":"2001', b'"since":"none'),
        (b'"gap":false', b'"gap":null'),
    ],
)
def test_what_cannot_be_read_is_lost_all_the_same(right: bytes, wrong: bytes) -> None:
    at, daemon = voices(), Daemon(OLD)
    broken = daemon.hears()[0][1].replace(right, wrong)
    at.take([(b"genre/a/", broken)], 0.0)

    assert told(at.tick(SILENT_S + 0.1, 1e9)) == [
        ("status", GATEWAY, "lost"),
        ("genre", GATEWAY, "no-signal"),
    ]


def test_a_file_that_has_ended_is_not_lost() -> None:
    at, daemon = voices(), Daemon(OLD)
    at.take(daemon.hears() + daemon.tells("stopped", "source-ended"), 0.0)

    assert at.tick(100.0, 1e9 + 100) == []


def test_two_gateways_agree_whichever_daemon_they_heard_first() -> None:
    for order in ((0, 1), (1, 0)):
        daemons = [Daemon(OLD), Daemon(NEW)]
        at = voices()
        for one in order:
            at.take(daemons[one].tells("connected") + daemons[one].hears(), 0.0)

        passed = [m for one in order for m in at.take(daemons[one].hears(), 1.0)]

        assert [m["boot"] for m in read(passed)] == [NEW]


ACTS = st.tuples(
    st.sampled_from(["a1", "b2", "c3"]),
    st.sampled_from(["jazz", "metal", "nothing", "connecting", "stopped", "removed", "replays", "again"]),
    st.sampled_from([0.0, 0.4, 1.0, 4.0, 7.0]),
)


class Book:
    """What was passed on, held against what must not be."""

    def __init__(self) -> None:
        self.heard: dict[str, bool] = {}
        self.spoke: dict[str, float] = {}
        self._stopped: set[str] = set()
        self._seqs: dict[tuple[str, str], int] = {}
        self._last: dict[str, str] = {}
        self._time = ""  # of what the gateway itself said last

    def enter(self, boot: str, act: str, now: float) -> None:
        self.spoke[boot] = now
        if act in ("stopped", "removed"):
            self._stopped.add(boot)
        elif act == "connecting":
            self._stopped.discard(boot)
        if act != "connecting":
            self.heard[boot] = act in ("jazz", "metal") and boot not in self._stopped

    def take(self, messages: Iterable[tuple[bytes, bytes]], now: float) -> None:
        for message in read(messages):
            kind, boot, seq = message["kind"], message["boot"], message["seq"]
            before = self._seqs.get((kind, boot), -1)
            # A status is told again where another one's has been told meanwhile.
            again = kind == "status" and seq == before and self._last[kind] != boot
            assert seq > before or again, message
            self._seqs[kind, boot], self._last[kind] = seq, boot
            if boot == GATEWAY:
                assert message["time"] >= self._time, message
                self._time = message["time"]
            if kind == "genre" and message["state"] == "music":
                newer = [one for one in self.heard if one > boot and self.heard[one]]
                assert all(now - self.spoke[one] > SILENT_S for one in newer), message


@given(st.lists(ACTS, max_size=60))
def test_whatever_two_or_three_daemons_say(acts: list[tuple[str, str, float]]) -> None:
    at, book, now = voices(), Book(), 0.0
    daemons = {boot: Daemon(boot) for boot in ("a1", "b2", "c3")}
    ever: dict[str, list[tuple[bytes, bytes]]] = {boot: [] for boot in daemons}
    for boot, act, wait in acts:
        now += wait
        book.take(at.tick(now, 1e9 + now), now)
        said = _say(daemons[boot], act, ever[boot], now)
        if act not in ("replays", "again"):
            ever[boot] += said
            book.enter(boot, act, now)
        book.take(at.take(said, now), now)

    for daemon in daemons.values():
        at.take(daemon.tells("connected", at=now) + daemon.hears(at=now), now)
    last = [message for daemon in daemons.values() for message in at.take(daemon.hears(at=now), now)]
    assert [m["boot"] for m in read(last) if m["kind"] == "genre"] == ["c3"]


def _say(daemon: Daemon, act: str, ever: list[tuple[bytes, bytes]], now: float) -> list[tuple[bytes, bytes]]:
    match act:
        case "nothing":
            return daemon.hears_nothing(now)
        case "connecting":
            return daemon.tells("connecting", at=now)
        case "stopped" | "removed":
            return daemon.tells("stopped", "asked" if act == "stopped" else "removed", at=now)
        case "replays":
            return daemon.replays()
        case "again":
            return ever[-3:]
    return daemon.hears(act, now)
