"""A station never dies: whatever its source does is told, and tried again."""

import asyncio
import base64
import json
import random
from collections.abc import AsyncGenerator, Callable, Container
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jsonschema
import numpy as np
import pytest

from streamer.backoff import Backoff
from streamer.engine.clock import StationClock
from streamer.engine.listener import Listener
from streamer.engine.overlap import Overlap
from streamer.engine.scheduler import MAX_BATCH, Scheduler
from streamer.engine.station import MOVES, Station
from streamer.errors import SourceConnectionError, SourceNotFoundError
from streamer.flow import Block, Format, SourceEvent, Title, Window
from streamer.model.session import Model
from streamer.publish.messages import Message, encode, schema
from streamer.publish.reporter import Reporter
from streamer.source.base import Source
from tests.tiny_model import LABELS, model_bytes

FORMAT = Format("pcm", 16_000, 1)


def block(seconds: float = 1.0, lost: int = 0, level: float = 0.1) -> Block:
    samples = np.random.default_rng(0).normal(size=(int(seconds * 16_000), 1)) * level
    return Block(samples.astype(np.float32), 16_000, lost)


class Script(Source):
    """Gives what it is told to; raises what it is told to; hangs at None."""

    def __init__(
        self, *events: SourceEvent | Exception | None, live: bool = True, stall_s: float = 20.0
    ) -> None:
        self._events = events
        self.live, self.stall_s, self.retry_cap_s = live, stall_s, 0.02  # type: ignore[misc]
        self.closed = False

    async def events(self) -> AsyncGenerator[SourceEvent, None]:
        for event in self._events:
            if event is None:
                await asyncio.Event().wait()
            elif isinstance(event, Exception):
                raise event
            else:
                yield event

    async def close(self) -> None:
        self.closed = True


@dataclass
class Told:
    """A bus that keeps what it is told, each message held against its schema."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    watch: Callable[[dict[str, Any]], None] = lambda _: None

    def send(self, message: Message) -> None:
        data = json.loads(encode(message))
        jsonschema.validate(data, schema(data["kind"]))
        self.messages.append(data)
        self.watch(data)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["kind"] == kind]

    def states(self) -> list[str]:
        """What was said, repetitions left out."""
        states = [message["state"] for message in self.of("genre")]
        return [state for i, state in enumerate(states) if i == 0 or state != states[i - 1]]

    def events(self) -> list[str]:
        return [message["event"] for message in self.of("status")]


MODEL = Model(model_bytes(), name="tiny.onnx", provider="cpu")


def make_station(
    told: Told,
    open_source: Callable[[], Source],
    *,
    model: Any = MODEL,
    hop_s: float = 1.0,
    watched: Container[str] = (),
) -> Station:
    reporter = Reporter(told, "a", "b00t", LABELS)
    # The phase of "g" is next to none: windows come at 3, 4, 5 s.
    new_listener = partial(
        Listener, id="g", model=MODEL, scheduler=Scheduler(model), reporter=reporter, watched=watched
    )
    return Station("a", open_source=open_source, new_listener=new_listener, reporter=reporter, hop_s=hop_s)


async def live(
    told: Told,
    *sources: Source | Exception,
    until: Callable[[Told], bool] | None = None,
    model: Any = None,
    hop_s: float = 1.0,
    watched: Container[str] = (),
) -> Any:
    """Run a station over these attempts, until a condition holds or it ends by itself."""
    attempts = iter(sources)

    def open_source() -> Source:
        source = next(attempts, None) or Script(None)
        if isinstance(source, Exception):
            raise source
        return source

    station = make_station(told, open_source, model=model or MODEL, hop_s=hop_s, watched=watched)
    task = asyncio.create_task(station.run())
    reached = asyncio.Event()
    told.watch = lambda _: reached.set() if until and until(told) else None
    waiting = asyncio.create_task(reached.wait())
    done, _ = await asyncio.wait({task, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert done, f"neither ended nor reached: {told.events()}"
    if task.done():
        return task.result()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return None


def test_file_is_heard_to_its_end():
    told = Told()
    source = Script(FORMAT, *[block()] * 6, live=False)

    assert asyncio.run(live(told, source)) is None

    assert told.events() == ["connecting", "connected", "stopped"]
    genres = told.of("genre")
    assert [round(m["position"]) for m in genres if m["state"] != "no-signal"] == [3, 4, 5, 6]
    assert genres[-1]["state"] == "no-signal"
    assert source.closed


def test_a_watched_stations_frames_are_told_each_once_and_nobody_elses():
    seen, unseen, watched = Told(), Told(), {"g"}
    audio = (FORMAT, *[block()] * 5)

    asyncio.run(live(seen, Script(*audio, live=False), watched=watched))
    asyncio.run(live(unseen, Script(*audio, live=False), watched={"another"}))

    pictures = seen.of("mel")
    assert [round(m["position"]) for m in pictures] == [3, 4, 5]
    assert [round(m["seconds"], 1) for m in pictures] == [3.0, 1.0, 1.0]  # the first is a whole window
    assert [m["columns"] for m in pictures] == [30, 10, 10]
    assert all(len(base64.b64decode(m["data"])) == m["columns"] * m["bands"] for m in pictures)
    assert unseen.of("mel") == []


def test_lost_source_is_no_signal_and_comes_back():
    told = Told()
    broken = SourceConnectionError("reset by peer", remedy="wait")
    sources = [Script(FORMAT, *[block()] * 4, broken), broken, Script(FORMAT, *[block()] * 4, None)]

    def back(told: Told) -> bool:
        return told.events().count("connected") == 2 and told.of("genre")[-1]["state"] != "no-signal"

    asyncio.run(live(told, *sources, until=back))

    assert told.events() == [
        *("connecting", "connected", "lost", "retrying"),
        *("connecting", "lost", "retrying"),
        *("connecting", "connected", "stopped"),
    ]
    lost = told.of("status")[2]
    assert (lost["reason"], lost["detail"]) == ("source-connection", "reset by peer")
    retrying = told.of("status")[3]  # the last one that who comes late is told
    assert (retrying["reason"], retrying["detail"]) == ("source-connection", "reset by peer")
    states = told.states()
    assert (states[0], states[2], states[-1]) == ("no-signal", "no-signal", "no-signal")
    assert len(states) == 5, states
    assert sources[0].closed


def test_live_source_that_ends_is_lost():
    told = Told()

    asyncio.run(live(told, Script(FORMAT, block()), until=lambda t: "retrying" in t.events()))

    assert told.of("status")[2]["reason"] == "source-ended"


def test_silent_source_is_given_up():
    told = Told()

    asyncio.run(live(told, Script(FORMAT, None, stall_s=0.05), until=lambda t: "retrying" in t.events()))

    assert told.of("status")[2]["reason"] == "source-stalled"
    assert told.of("genre")[0]["state"] == "no-signal"


def test_silent_pipe_is_no_signal_and_still_waited_for():
    told = Told()

    class Slow(Script):
        async def events(self) -> AsyncGenerator[SourceEvent, None]:
            yield FORMAT
            yield block(4.0)
            await lost.wait()
            yield block(2.0)

    def note(told: Told) -> bool:
        if "lost" in told.events():
            lost.set()
        return False

    lost = asyncio.Event()
    # Long enough for a busy machine to look at a block: only the pipe that waits may count as stalled.
    asyncio.run(live(told, Slow(live=False, stall_s=0.5), until=note))

    assert [state == "no-signal" for state in told.states()] == [True, False, True, False, True]
    assert told.events() == ["connecting", "connected", "lost", "connected", "stopped"]
    assert told.of("status")[2]["reason"] == "source-stalled"


def test_what_can_not_be_mended_ends_the_station():
    told = Told()
    error = SourceNotFoundError("no.mp3: no such file", remedy="look", final=True)

    assert asyncio.run(live(told, Script(error, live=False))) is error
    assert told.events() == ["connecting", "lost", "stopped"]


@pytest.mark.parametrize("fault", [OSError(24, "Too many open files"), ValueError("x"), RuntimeError()])
def test_what_nobody_foresaw_is_told_and_lived_with(fault):
    told = Told()

    asyncio.run(live(told, Script(FORMAT, *[block()] * 4, fault), until=lambda t: "retrying" in t.events()))

    lost = told.of("status")[2]
    assert (lost["event"], lost["reason"]) == ("lost", "internal")
    assert type(fault).__name__ in lost["detail"]


def test_model_that_fails_is_told_and_nobody_waits_for_ever():
    class Broken:
        stages, provider = (), "cpu"

        def classify(self, frames: np.ndarray) -> np.ndarray:
            raise RuntimeError("no memory")

    told = Told()
    source = Script(FORMAT, *[block()] * 4, None)

    asyncio.run(live(told, source, until=lambda t: "retrying" in t.events(), model=Broken()))

    assert "no memory" in told.of("status")[2]["detail"]


def test_state_is_complete_while_a_source_connects():
    told = Told()

    asyncio.run(live(told, Script(None), until=lambda t: len(t.of("genre")) == 3, hop_s=0.01))

    assert {m["state"] for m in told.of("genre")} == {"no-signal"}
    assert told.events() == ["connecting", "stopped"]


def test_source_that_does_not_close_loses_no_message(monkeypatch):
    class Stuck(Script):
        async def close(self) -> None:
            await asyncio.Event().wait()

    told = Told()

    monkeypatch.setattr("streamer.engine.station.CLOSE_S", 0.01)
    asyncio.run(live(told, Stuck(FORMAT, block(), None), until=lambda t: "connected" in t.events()))

    assert told.events() == ["connecting", "connected", "stopped"]


def test_live_source_is_tried_again_even_when_it_looks_hopeless():
    told = Told()
    error = SourceNotFoundError("no such mount", remedy="look", final=True)

    asyncio.run(live(told, Script(error), until=lambda t: "retrying" in t.events()))

    assert "stopped" not in told.events()[:-1]


def test_title_is_told_and_ends_a_track():
    told = Told()
    events = [FORMAT, Title("A - One"), *[block()] * 5, Title("B - Two"), *[block()] * 5]

    asyncio.run(live(told, Script(*events, live=False)))

    tracks = told.of("track")
    assert [(t["title"], round(t["seconds"])) for t in tracks] == [("A - One", 5), ("B - Two", 5)]
    assert next(m for m in told.of("genre") if m["state"] != "no-signal")["title"] == "A - One"
    assert [m["detail"] for m in told.of("status") if m["event"] == "title"] == ["A - One", "B - Two"]


def test_new_format_is_told():
    told = Told()
    other = Format("pcm", 8_000, 1)
    slow = Block(np.zeros((16_000, 1), np.float32), 8_000)

    asyncio.run(live(told, Script(FORMAT, *[block()] * 4, other, slow, slow, live=False)))

    assert told.events() == ["connecting", "connected", "format", "stopped"]
    assert round(told.of("genre")[-1]["position"]) == 8


def test_gap_is_flagged():
    told = Told()

    asyncio.run(live(told, Script(FORMAT, *[block()] * 4, block(lost=100), *[block()] * 4, live=False)))

    assert [m["gap"] for m in told.of("genre") if m["state"] != "no-signal"].count(True) == 2


def test_silence_is_told_with_its_level():
    told = Told()

    asyncio.run(live(told, Script(FORMAT, block(4.0, level=0.0), live=False)))

    first = next(m for m in told.of("genre") if m["state"] != "no-signal")
    assert (first["state"], first["level_dbfs"], first["window"]) == ("silence", None, None)
    assert "probabilities" not in first


def test_every_move_is_in_the_table():
    for start, ends in MOVES.items():
        for end in MOVES:
            told = Told()
            station = make_station(told, lambda: Script())
            station.life = start
            if end in ends:
                station._move(end)
                assert (station.life, told.events()) == (end, [end])
            else:
                with pytest.raises(AssertionError, match="can't go"):
                    station._move(end)


def test_seq_has_no_holes_and_time_no_steps_back():
    told = Told()

    asyncio.run(live(told, Script(FORMAT, *[block(0.3)] * 60, live=False)))

    for kind in ("genre", "status"):
        assert [m["seq"] for m in told.of(kind)] == list(range(len(told.of(kind))))
    times = [m["time"] for m in told.of("genre")]
    assert times == sorted(times)


def test_scheduler_batches_what_is_due_together():
    class Counting:
        stages, provider = MODEL.stages, MODEL.provider

        def __init__(self) -> None:
            self.batches: list[int] = []

        def classify(self, given: np.ndarray) -> np.ndarray:
            self.batches.append(len(given))
            return MODEL.classify(given)

    async def main() -> None:
        frames = np.random.default_rng(0).normal(size=(100, 118, 80)).astype(np.float32)
        windows = [Window(f, 0, gap=False, level_dbfs=0.0, recent_dbfs=0.0) for f in frames]
        answers = await asyncio.gather(*(scheduler.infer(Overlap(MODEL), [w]) for w in windows))
        np.testing.assert_allclose(np.concatenate(answers), MODEL.infer(frames), atol=1e-6)

    counting = Counting()
    scheduler = Scheduler(counting)  # type: ignore[arg-type]
    asyncio.run(main())

    assert counting.batches == [MAX_BATCH] * (100 // MAX_BATCH) + [100 % MAX_BATCH]


def test_backoff_doubles_to_its_cap_and_recovers():
    backoff = Backoff(10.0, random.Random(1))

    waits = [backoff.failed(0.0) for _ in range(8)]

    for wait, base in zip(waits, [1, 2, 4, 8, 10, 10, 10, 10], strict=True):
        assert 0.8 * base <= wait <= 1.2 * base
    assert backoff.failed(60.0) <= 1.2


def test_clock_dates_a_burst_backwards():
    clock = StationClock()
    for i in range(1, 17):
        clock.arrived(float(i), 1000.0 + i * 0.001)

    assert clock.time_of(16.0) == pytest.approx(1000.016)
    assert clock.time_of(3.0) == pytest.approx(987.016)


def test_clock_shows_a_backlog_as_lag():
    clock = StationClock()
    for i in range(100):
        clock.arrived(float(i), 1000.0 + i * 1.1)  # a daemon that keeps up with ten seconds in eleven

    assert 1000.0 + 99 * 1.1 - clock.time_of(99.0) > 8.0


def test_clock_forgets_a_delay_that_stays():
    clock = StationClock()
    for i in range(600):
        clock.arrived(float(i), 1000.0 + i + (2.0 if i > 50 else 0.0))

    assert 1000.0 + 599 + 2.0 - clock.time_of(599.0) < 0.01


def test_clock_follows_when_the_wall_clock_is_set():
    clock = StationClock()
    clock.arrived(1.0, 1000.0)
    clock.arrived(2.0, 4601.0)

    assert clock.time_of(2.0) == 4601.0
