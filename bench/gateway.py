"""How many messages a second does a gateway pass on, from four daemons to twenty subscribers?

The greatest rate at which nothing is lost and all is delivered as it comes is searched for, of
`genrecast gateway` and of libzmq's own `zmq_proxy`, which looks at nothing and keeps nothing: the floor.
Daemons and subscribers are TCP connections that only write and count bytes (bench.zmtp), in a process
each, so that what is measured is the gateway and the kernel. Messages are `genre` of 14 labels.
"""

import argparse
import json
import multiprocessing
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache, partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from bench.daemon import cpu_s
from bench.ports import free_port
from bench.zmtp import connect, frames, subscription
from streamer.publish.messages import Genre, WindowOnly, encode, new_boot, utc

ROOT = Path(__file__).parents[1]
DAEMONS, STATIONS = 4, 100  # of each
SUBSCRIBERS = 20
SECONDS = 2.0
TURN_S = 0.005  # a daemon's workers speak together
LATE_S = 0.25  # and what comes later than that was waiting somewhere
FIRST_SEQ = 1_000_000  # so that all messages have one length
LEAST, HALVINGS = 8_000, 3  # messages a second; steps from a factor of two to the answer
PROXY = """
import sys, zmq
context = zmq.Context()
ends = []
for kind, port in zip((zmq.XSUB, zmq.XPUB), sys.argv[1:]):
    ends.append(context.socket(kind))
    ends[-1].setsockopt(zmq.SNDHWM, 20_000)
    ends[-1].setsockopt(zmq.RCVHWM, 20_000)
    ends[-1].bind(f"tcp://127.0.0.1:{port}")
zmq.proxy(*ends)
"""


class Trial(NamedTuple):
    """What became of a rate."""

    kept_up: bool
    cpu_us: float  # of the gateway, for a message


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    cases: dict[str, Callable[[int, float], Trial]] = {
        "ours": partial(_trial, _gateway, options.subscribers, 0),
        "proxy": partial(_trial, _proxy, options.subscribers, 0),
        "ours_to_one": partial(_trial, _gateway, 1, 0),
        "proxy_to_one": partial(_trial, _proxy, 1, 0),
        "ours_beside_one_that_never_reads": partial(_trial, _gateway, options.subscribers, 1),
    }
    found: dict[str, Any] = {}
    for name, trial in cases.items():
        rate, cpu_us = _greatest(name, trial, options.seconds)
        found |= {f"{name}_per_s": rate, f"{name}_cpu_us": round(cpu_us, 1)}
    what = "greatest rate of messages that are all delivered as they come, and CPU of the gateway for each"
    size = len(_message(new_boot(), 0, FIRST_SEQ))
    about = {"daemons": DAEMONS, "subscribers": options.subscribers, "bytes": size}
    print(json.dumps({"bench": "gateway", "what": what, **about, **found}))
    return 0


def _greatest(name: str, trial: Callable[[int, float], Trial], seconds: float) -> tuple[int, float]:
    """Double the rate until it is too much, then halve the distance; a rate has two tries."""
    good, bad, cpu_us, rate, left = 0, 0, 0.0, LEAST, HALVINGS
    while left and rate > good:
        done = trial(rate, seconds)
        if not done.kept_up:
            done = trial(rate, seconds)
        print(f"{name}: {rate}/s {'kept up' if done.kept_up else 'too much'}", file=sys.stderr)
        left -= bool(bad)
        if done.kept_up:
            good, cpu_us = rate, done.cpu_us
        else:
            bad = rate
        rate = (good + bad) // 2 if bad else 2 * good
    return good, cpu_us


def _trial(
    kind: Callable[[int, int], AbstractContextManager["subprocess.Popen[bytes]"]],
    subscribers: int,
    asleep: int,
    rate: int,
    seconds: float,
) -> Trial:
    """Try a rate, beside so many subscribers that never read."""
    ports = [free_port() for _ in range(2)]
    spawn = multiprocessing.get_context("spawn")
    with kind(*ports) as process:
        sleepers = [_subscriber(ports[1]) for _ in range(asleep)]
        ends = [spawn.Pipe() for _ in range(2)]
        count = int(rate * seconds / DAEMONS) * DAEMONS
        jobs = [
            spawn.Process(target=_publish, args=(ends[0][1], ports[0], rate, count)),
            spawn.Process(target=_subscribe, args=(ends[1][1], ports[1], subscribers, count)),
        ]
        for job in jobs:
            job.start()
        try:
            for ours, _ in ends:
                ours.recv()
            before = cpu_s(process.pid)
            for ours, _ in reversed(ends):
                ours.send(None)
            due = ends[0][0].recv()
            last, complete = ends[1][0].recv()
            spent = cpu_s(process.pid) - before
        finally:
            for job in jobs:
                job.kill()
                job.join()
            for sleeper in sleepers:
                sleeper.close()
    return Trial(complete and last - due <= LATE_S, 1e6 * spent / count)


def _publish(pipe: Connection, port: int, rate: int, count: int) -> None:
    """Be four daemons: send so many messages at that rate; tell when the last one was due."""
    boots = [new_boot() for _ in range(DAEMONS)]
    connections = [connect(port, "PUB") for _ in boots]
    each = count // DAEMONS
    rendered = [
        [_message(boot, STATIONS * n + i % STATIONS, FIRST_SEQ + i // STATIONS) for i in range(each)]
        for n, boot in enumerate(boots)
    ]
    pipe.send(None)
    pipe.recv()
    began, sent = time.perf_counter(), 0
    while sent < each:
        due = min(int((time.perf_counter() - began) * rate / DAEMONS) + 1, each)
        for connection, messages in zip(connections, rendered, strict=True):
            connection.sendall(b"".join(messages[sent:due]))
        sent = due
        time.sleep(TURN_S)
    pipe.send(began + count / rate)
    pipe.recv()


def _subscribe(pipe: Connection, port: int, subscribers: int, count: int) -> None:
    """Be the subscribers: tell when the last one had all, or that they don't have it."""
    wanted = count * len(_message(new_boot(), 0, FIRST_SEQ))
    selector = selectors.DefaultSelector()
    got = [0] * subscribers
    for number in range(subscribers):
        connection = _subscriber(port)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, number)
    buffer = bytearray(1 << 20)
    time.sleep(0.5)  # for the subscriptions to arrive
    pipe.send(None)
    pipe.recv()
    last = time.perf_counter() + 10.0
    while min(got) < wanted and (ready := selector.select(LATE_S + 1.0)):
        for key, _ in ready:
            assert isinstance(key.fileobj, socket.socket)
            got[key.data] += key.fileobj.recv_into(buffer)
        last = time.perf_counter()
    pipe.send((last, min(got) == max(got) == wanted))
    pipe.recv()


def _subscriber(port: int) -> socket.socket:
    connection = connect(port, "SUB")
    connection.sendall(subscription(b"genre/"))
    return connection


def _message(boot: str, station: int, seq: int) -> bytes:
    """Give a message as it goes over the wire."""
    before, after = _around(boot, f"s{station:03}")
    return before + str(seq).encode() + after


@cache
def _around(boot: str, station: str) -> tuple[bytes, bytes]:
    """Give what stands before its `seq`, and after."""
    labels = [f"a label {number:02}" for number in range(14)]
    said = Genre(
        station=station,
        seq=FIRST_SEQ,
        boot=boot,
        time=utc(time.time()),
        state="music",
        genre="jazz",
        confidence=0.8312,
        since=utc(time.time()),
        probabilities=dict.fromkeys(labels, 0.0714),
        window=WindowOnly(label="jazz", confidence=0.7934),
        level_dbfs=-18.4,
        position=86400.125,
        gap=False,
        lag_ms=41.7,
        hop=1.0,
        title="An artist of some name - A title that is no shorter than most of them are",
    )
    before, _, after = frames(f"genre/{station}/".encode(), encode(said)).partition(str(FIRST_SEQ).encode())
    return before, after


@contextmanager
def _gateway(accept: int, bind: int) -> Iterator["subprocess.Popen[bytes]"]:
    ends = ["--accept", f"tcp://127.0.0.1:{accept}", "--bind", f"tcp://127.0.0.1:{bind}"]
    with _running("-m", "streamer.cli", "gateway", "--quiet", *ends, port=bind) as process:
        yield process


@contextmanager
def _proxy(accept: int, bind: int) -> Iterator["subprocess.Popen[bytes]"]:
    with _running("-c", PROXY, str(accept), str(bind), port=bind) as process:
        yield process


@contextmanager
def _running(*arguments: str, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__)
    parser.add_argument("--subscribers", type=int, default=SUBSCRIBERS, metavar="N")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="at each rate")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
