"""What a subscriber can rely on, seen from a real subscriber on a real socket."""

import asyncio
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from unittest.mock import Mock

import jsonschema
import numpy as np
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import PublishError
from streamer.flow import Format, Verdict, Window
from streamer.publish.bus import Bus
from streamer.publish.messages import KINDS, Genre, Message, new_boot, schema, utc, write_schemas
from streamer.publish.reporter import Memory, Reporter
from streamer.publish.subscribe import Subscriber, parse
from streamer.sections import is_local
from tests.tiny_model import LABELS

SCHEMAS = Path(__file__).parents[2] / "streamer" / "publish" / "schema"


@contextmanager
def running(
    act: Callable[[Bus], None] = lambda _: None,
    demanded: Callable[[frozenset[str]], None] = lambda _: None,
) -> Iterator[Bus]:
    """Run a bus in a thread's own loop; `act` is called there first."""
    ready, stop, box = threading.Event(), asyncio.Event(), []

    async def main() -> None:
        bus = Bus("tcp://127.0.0.1:*")
        bus.start(demanded)
        act(bus)
        box.extend((bus, asyncio.get_running_loop()))
        ready.set()
        await stop.wait()
        bus.close()

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    ready.wait()
    try:
        yield box[0]
    finally:
        box[1].call_soon_threadsafe(stop.set)
        thread.join()


def tell(bus: Bus, station: str, times: int = 1, state: str = "music") -> None:
    reporter = Reporter(bus, station, "b00t", LABELS)
    for i in range(times):
        verdict = Verdict(state, "jazz" if state == "music" else None, 0.5, 0.0, float(i), None)
        reporter.genre(verdict, None, time=1e9 + i, now=1e9 + i, hop_s=1.0, title="A - B")
    reporter.status("connected", now=1e9, format=Format("mp3", 44_100, 2, 128_000))


def receive(endpoint: str, prefix: str, count: int, patience_ms: int = 2000) -> list[tuple[str, dict]]:
    """Give the first messages that a late subscriber gets."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.RCVTIMEO, patience_ms)
        socket.subscribe(prefix)
        socket.connect(endpoint)
        got = [socket.recv_multipart() for _ in range(count)]
    return [(name.decode(), json.loads(payload)) for name, payload in got]


def test_what_is_made_on_demand_is_demanded_while_somebody_subscribes_to_it_by_name():
    seen: queue.Queue[frozenset[str]] = queue.Queue()
    with running(demanded=seen.put) as bus:
        first, second = Subscriber(bus.endpoint), Subscriber(bus.endpoint, ("mel/", "mel/kexp/"))

        assert seen.get(timeout=5) == {"kexp"}

        first.want("mel/kexp/")
        first.want("mel/wfmu/")
        assert seen.get(timeout=5) == {"kexp", "wfmu"}

        second.close()  # the other one still wants it
        first.leave("mel/wfmu/")
        assert seen.get(timeout=5) == {"kexp"}

        first.close()
        assert seen.get(timeout=5) == set()


def test_late_subscriber_has_complete_state_of_every_station():
    with running(lambda bus: [tell(bus, f"s{i}", 3) for i in range(40)]) as bus:
        got = receive(bus.endpoint, "genre/", 40)

    assert {name for name, _ in got} == {f"genre/s{i}/" for i in range(40)}
    assert all(message["seq"] == 2 for _, message in got)


def test_late_subscriber_has_it_within_a_tenth_of_a_second():
    with running(lambda bus: [tell(bus, f"s{i}") for i in range(40)]) as bus:
        receive(bus.endpoint, "genre/s1/", 1)  # connecting is not what is measured
        with zmq.Context() as context, context.socket(zmq.SUB) as socket:
            socket.subscribe("status/s1/")
            socket.connect(bus.endpoint)
            socket.recv_multipart()
            seconds = []
            for prefix in ("genre/", "genre/s", "genr"):  # the best of three: the machine may be busy
                started = time.perf_counter()
                socket.subscribe(prefix)
                for _ in range(40):
                    socket.recv_multipart()
                seconds.append(time.perf_counter() - started)
            assert min(seconds) < 0.1


def test_prefix_matches_one_station_alone():
    with running(lambda bus: (tell(bus, "kexp"), tell(bus, "kexp2"))) as bus:
        got = receive(bus.endpoint, "genre/kexp/", 1)
        with pytest.raises(zmq.Again):
            receive(bus.endpoint, "genre/kexp/", 2, patience_ms=300)

    assert got[0][0] == "genre/kexp/"


def test_changes_are_not_replayed():
    def act(bus: Bus) -> None:
        reporter = Reporter(bus, "a", "b00t", LABELS)
        for i, state in enumerate(["music", "speech"]):
            verdict = Verdict(state, None, 0.5, 0.0, float(i), None)
            reporter.genre(verdict, None, time=1e9 + i, now=1e9 + i, hop_s=1.0, title=None)

    with running(act) as bus:
        assert receive(bus.endpoint, "", 1)[0][0] == "genre/a/"
        with pytest.raises(zmq.Again):
            receive(bus.endpoint, "change/", 1, patience_ms=300)


def test_subscriber_drops_replays_and_counts_and_tells_holes(caplog):
    with running(lambda bus: tell(bus, "a")) as bus:
        subscriber = Subscriber(bus.endpoint, ("genre/",))
        messages = subscriber.messages()
        first = next(m for m in messages if m)
        receive(bus.endpoint, "genre/", 1)  # makes a replay that reaches the first subscriber too
        assert next(messages) is None
        assert not subscriber._is_new(first)
        assert subscriber._is_new(first | {"seq": 5})
        assert subscriber._is_new(first | {"seq": 7})
        assert subscriber._is_new(first | {"seq": 9})
        subscriber.close()

    assert subscriber.lost == 6
    told = [record.getMessage().split()[0] for record in caplog.records if "were lost" in record.message]
    assert told == ["4", "2"]  # the first at once, then together


def test_slow_subscriber_slows_nobody():
    seconds: list[float] = []
    told = threading.Event()

    def flood(bus: Bus) -> None:
        started = time.perf_counter()
        tell(bus, "b", 20_000)
        seconds.append(time.perf_counter() - started)
        told.set()

    with (
        running(lambda bus: tell(bus, "a")) as bus,
        zmq.Context() as context,
        context.socket(zmq.SUB) as slow,
    ):
        slow.setsockopt(zmq.RCVHWM, 1)
        slow.subscribe("")
        slow.connect(bus.endpoint)
        slow.recv_multipart()  # it is there, and reads no more
        assert bus._loop is not None
        bus._loop.call_soon_threadsafe(flood, bus)
        assert told.wait(30)

    assert seconds[0] < 10.0


def test_endpoint_in_use_is_told(tmp_path):
    with running() as bus, pytest.raises(PublishError, match="bind"):
        Bus(bus.endpoint)
    path = f"ipc://{tmp_path}/bus"
    first = Bus(path)
    with pytest.raises(PublishError, match="in use"):
        Bus(path)
    first.close()
    Bus(path).close()


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("tcp://127.0.0.1:5567", True),
        ("tcp://127.9.9.9:1", True),
        ("tcp://[::1]:1", True),
        ("tcp://localhost:1", True),
        ("ipc:///tmp/x", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://*:1", False),
        ("tcp://192.168.1.2:1", False),
        ("tcp://example.org:1", False),
        ("tcp://eth0:1", False),
    ],
)
def test_only_local_endpoints_are_bound_without_a_word(endpoint, local):
    assert is_local(endpoint) is local
    if not local:
        with pytest.raises(PublishError, match="other machines"):
            Bus(endpoint)


@pytest.mark.parametrize(
    "endpoint",
    ["", "nonsense", "tcp://127.0.0.1", "tcp://127.0.0.1:99999999", "inproc://x", "tcp://[::1:5567"],
)
def test_malformed_endpoint_is_told(endpoint):
    with pytest.raises(PublishError):
        Bus(endpoint)


def test_messages_keep_their_schema_and_time_never_runs_back():
    def act(bus: Bus) -> None:
        reporter = Reporter(bus, "a", "b00t", LABELS)
        for at in (1e9, 1e9 - 50, 1e9 + 1):
            verdict = Verdict("silence", None, 1.0, 0.0, 1.0, None)
            reporter.genre(verdict, None, time=at, now=at, hop_s=1.0, title=None)
            sent.append(json.loads(bus._last[b"genre/a/"]))

    sent: list[dict] = []
    with running(act):
        pass

    for message in sent:
        jsonschema.validate(message, schema("genre"))
    times = [message["time"] for message in sent]
    assert times == sorted(times)
    assert [message["seq"] for message in sent] == [0, 1, 2]


@pytest.mark.parametrize("letter", ["x", '"', "\\", "\N{PILE OF POO}", "\u6f22", "\0"])
def test_a_hostile_title_leaves_the_message_small(letter):
    labels = tuple(f"electronic{i}" for i in range(14))

    def act(bus: Bus) -> None:
        reporter = Reporter(bus, "a" * 64, new_boot(), labels)
        p = np.full(14, 1 / 14, np.float32)
        verdict = Verdict("music", labels[0], 0.5, 0.0, 123456.789, p, labels[0], 0.1234)
        heard = Window(np.zeros((1, 1), np.float32), 1, True, -23.4, -23.4)
        reporter.genre(verdict, heard, time=1e9, now=1e9 + 0.3, hop_s=1.0, title=letter * 100_000)
        sizes.extend(len(payload) for payload in bus._last.values())

    sizes: list[int] = []
    with running(act):
        pass

    assert sizes[0] < 1024


@pytest.mark.parametrize("kind", KINDS)
def test_published_schema_is_current(kind, tmp_path):
    write_schemas(tmp_path)

    assert (SCHEMAS / f"{kind}.json").read_text() == (tmp_path / f"{kind}.json").read_text()
    jsonschema.Draft202012Validator.check_schema(schema(kind))


@given(st.lists(st.floats(0.0, 1.0, width=32), min_size=len(LABELS), max_size=len(LABELS)))
def test_probabilities_are_rounded_to_four_places(row):
    sent: list[Genre] = []
    verdict = Verdict("unsure", None, 0.5, 0.0, 1.0, np.array(row, np.float32))

    Reporter(Mock(send=sent.append), "a", "b00t", LABELS).genre(
        verdict, None, time=1e9, now=1e9, hop_s=1.0, title=None
    )

    assert sent[0].probabilities == {label: round(p, 4) for label, p in zip(LABELS, row, strict=True)}


def test_what_was_said_by_another_process_is_said_on_since_then():
    sent: list[Message] = []
    memory = Memory(seq={"genre": 7}, state="music", genre="jazz", since=1e9 - 60, newest=1e9)
    reporter = Reporter(Mock(send=sent.append), "a", "b00t", LABELS, memory)
    for genre in ("jazz", "metal"):
        verdict = Verdict("music", genre, 0.5, 2.0, 3.0, None)
        reporter.genre(verdict, None, time=1e9 + 3, now=1e9 + 3, hop_s=1.0, title=None)

    same, change, other = sent
    assert (same.seq, same.since, other.since) == (7, utc(1e9 - 60), utc(1e9 + 2))
    assert (change.from_.genre, change.from_.since) == ("jazz", utc(1e9 - 60))


def test_utc_has_milliseconds():
    assert utc(0.0) == "1970-01-01T00:00:00.000Z"
    assert utc(1e9 + 0.1239) == "2001-09-09T01:46:40.123Z"
    assert utc(1e9 - 1e-7) == "2001-09-09T01:46:40.000Z"
    assert utc(-0.25) == "1969-12-31T23:59:59.750Z"


@given(st.floats(-1e9, 4e9))
def test_utc_is_the_time_that_it_was_given(seconds):
    assert datetime.fromisoformat(utc(seconds)).timestamp() == pytest.approx(seconds - 0.0005, abs=0.000502)


STATUS = '{"v":1,"kind":"status","station":"a","seq":0,"boot":"b","time":"2001-09-09T01:46:40.000Z",'
TOLD = STATUS + '"event":"lost","reason":"ok","detail":"","retry_in":null,"format":null}'


@pytest.mark.parametrize(
    "frames",
    [
        [b"topic"],
        [b"topic", b"two", b"three"],
        [b"topic", b"no JSON"],
        [b"topic", b"\xff\xfe"],
        [b"topic", b"[" * 100_000],
        [b"topic", b"{}"],
        [b"topic", STATUS[:-1].encode() + b"}"],
        [b"topic", TOLD.replace('"a"', '"../a"').encode()],
        [b"topic", TOLD.replace("T01", "T99").encode()],
        [b"topic", TOLD.replace('"lost"', "7").encode()],
        [b"topic", TOLD.replace('"seq":0', '"seq":-1').encode()],
    ],
)
def test_what_is_no_message_of_ours_is_passed_over(frames):
    assert parse([b"topic", TOLD.encode()])
    assert parse(frames) is None


def test_a_kind_of_message_that_is_not_known_yet_is_passed_on():
    new = TOLD.replace('"status"', '"weather"').encode()

    assert parse([b"weather/a/", new])["kind"] == "weather"


def _next_message(subscriber):
    return next(message for message in subscriber.messages() if message)


def _next_drained(subscriber):
    while not (waiting := subscriber.drain()):
        pass
    return waiting[0]


@pytest.mark.parametrize("hear", [_next_message, _next_drained])
def test_a_subscriber_goes_on_after_what_is_none_of_ours(hear):
    with running(lambda bus: (bus.publish([(b"genre/a/", b"rubbish")]), tell(bus, "b"))) as bus:
        subscriber = Subscriber(bus.endpoint, ("",))
        try:
            heard = hear(subscriber)
        finally:
            subscriber.close()

    assert heard["station"] == "b"
    assert subscriber.foreign == 1
