"""What a daemon sends to gateways, seen from a socket in a gateway's place."""

import json
import queue
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

from streamer.publish.bus import Bus
from streamer.publish.outlet import SEND_HWM
from streamer.publish.reporter import Reporter
from streamer.publish.subscribe import Subscriber
from tests.publish.on_loop import sending

PATIENCE_MS = 10_000
BUSY_S = 0.3  # five times as long as it takes to send what was said last to one who reads


@contextmanager
def gateway(endpoint: str, *prefixes: str, hwm: int = 1000) -> Iterator["zmq.Socket[bytes]"]:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        socket.setsockopt(zmq.RCVHWM, hwm)
        socket.setsockopt(zmq.LINGER, 0)
        for prefix in prefixes or ("genre/", "status/"):
            socket.subscribe(prefix)
        socket.bind(endpoint)
        yield socket


def tell(station: str, times: int = 1, seq: int = 0) -> Callable[[Bus], None]:
    def act(bus: Bus) -> None:
        reporter = Reporter(bus, station, "b00t", ())
        reporter.memory.seq["genre"] = seq
        for _ in range(times):
            reporter.no_signal(position_s=0.0, now=1e9, hop_s=1.0)

    return act


def hear(socket: "zmq.Socket[bytes]") -> dict[str, Any]:
    message: dict[str, Any] = json.loads(socket.recv_multipart()[1])
    return message


def attend(socket: "zmq.Socket[bytes]", seen: "queue.Queue[frozenset[str]]") -> None:
    """Wait for a demand; a socket of libzmq lets nobody in while nobody looks at it."""
    end = time.monotonic() + PATIENCE_MS / 1000
    while seen.empty() and time.monotonic() < end:
        socket.poll(20)


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/gateway"


def test_a_gateway_has_the_state_of_all_stations_whenever_it_comes_and_what_follows(endpoint: str) -> None:
    with sending(endpoint) as on_loop:
        for station in ("a", "b"):
            on_loop.act(tell(station, 5000))  # for nobody: nothing of it may wait

        for round in range(2):  # a gateway, and the one that follows it
            with gateway(endpoint) as socket:
                state = [hear(socket) for _ in range(2)]
                on_loop.act(tell("a", seq=5000 + round))
                then = hear(socket)

            assert {(m["station"], m["seq"]) for m in state} == {("a", 4999 + round), ("b", 4999)}
            assert then["seq"] == 5000 + round


def test_a_gateway_that_is_busy_when_it_comes_has_the_states_of_more_stations_than_may_wait(
    endpoint: str,
) -> None:
    count = 3 * SEND_HWM

    def all_told(bus: Bus) -> None:
        for number in range(count):
            tell(f"s{number}")(bus)

    with sending(endpoint) as on_loop:
        on_loop.act(all_told)
        with gateway(endpoint, hwm=10) as socket:
            heard = {hear(socket)["station"]}
            time.sleep(BUSY_S)
            while len(heard) < count:
                heard.add(hear(socket)["station"])

    assert len(heard) == count


def test_what_is_told_to_a_gateway_that_comes_is_not_told_to_subscribers_again(endpoint: str) -> None:
    with sending(endpoint) as on_loop, zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        on_loop.act(tell("a"))
        subscriber.setsockopt(zmq.RCVTIMEO, PATIENCE_MS)
        subscriber.subscribe("")
        subscriber.connect(on_loop.bus.endpoint)
        assert hear(subscriber)["seq"] == 0

        with gateway(endpoint) as socket:
            assert hear(socket)["seq"] == 0
        on_loop.act(tell("a", seq=1))

        assert hear(subscriber)["seq"] == 1


def test_a_gateway_that_hangs_holds_up_neither_the_daemon_nor_its_subscribers(endpoint: str) -> None:
    with sending(endpoint) as on_loop, gateway(endpoint, hwm=1) as socket:
        on_loop.act(tell("a"))
        hear(socket)  # it is there, and reads no more
        subscriber = Subscriber(on_loop.bus.endpoint, ("genre/",), waiting=0)
        messages = (message for message in subscriber.messages() if message is not None)
        assert next(messages)["seq"] == 0

        for round in range(20):
            on_loop.act(tell("b", 500, seq=500 * round))
            last = [next(messages) for _ in range(500)][-1]
        subscriber.close()

    assert (last["seq"], subscriber.lost) == (9999, 0)


def test_what_gateways_and_subscribers_demand_is_made_for_both(endpoint: str) -> None:
    seen: queue.Queue[frozenset[str]] = queue.Queue()
    with sending(endpoint, demanded=seen.put) as on_loop:
        subscriber = Subscriber(on_loop.bus.endpoint, ("mel/a/",))
        assert seen.get(timeout=10) == {"a"}

        with gateway(endpoint, "mel/b/") as socket:
            attend(socket, seen)
            assert seen.get() == {"a", "b"}

        assert seen.get(timeout=10) == {"a"}
        subscriber.close()


def test_gateways_are_joined_and_left_while_it_runs(tmp_path: Path) -> None:
    first, second = f"ipc://{tmp_path}/first", f"ipc://{tmp_path}/second"
    seen: queue.Queue[frozenset[str]] = queue.Queue()
    with (
        sending(first, demanded=seen.put) as on_loop,
        gateway(first, "mel/a/") as left,
        gateway(second, "genre/", "mel/b/") as joined,
    ):
        on_loop.act(tell("a"))
        attend(left, seen)
        assert seen.get() == {"a"}

        on_loop.act(lambda bus: bus.follow((second,)))

        assert hear(joined)["station"] == "a"
        assert seen.get(timeout=10) == set()
        assert seen.get(timeout=10) == {"b"}
