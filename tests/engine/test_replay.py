"""An hour of programme through the engine, beside other stations: what each says is what it says alone."""

import asyncio
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from bench import content
from streamer.decide.decider import Decider
from streamer.engine.listener import Listener
from streamer.engine.scheduler import Scheduler
from streamer.engine.station import Station
from streamer.flow import Block, Verdict
from streamer.model.session import Model
from streamer.publish.messages import Message, encode
from streamer.publish.reporter import Reporter
from streamer.signal.front_end import FrontEndStream
from streamer.source.file import FileSource, read_file

HOUR_S = 3600
MODEL = Model.load(provider="cpu")
STATIONS = {"a": 1.0, "b": 3.0}
"""Their hops in seconds."""


class Kept:
    """A bus that keeps what was said each hop."""

    def __init__(self) -> None:
        self.said: dict[str, list[dict]] = {station: [] for station in STATIONS}

    def send(self, message: Message) -> None:
        if message.kind == "genre":
            told = json.loads(encode(message))
            if told["state"] != "no-signal":
                self.said[message.station].append(told)


@pytest.fixture(scope="module")
def hour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hour")
    content.make(folder, content.DEFAULT)
    played = content.load(folder, content.DEFAULT[0])
    path = folder / "hour.mp3"
    path.write_bytes(played.data * -(-HOUR_S * content.BITRATE // 8 // len(played.data)))
    return path


class Alone:
    """One station, and the whole graph for each of its windows."""

    def __init__(self, station: str, hop_s: float) -> None:
        phase = Listener.phase(station)
        self._stream = FrontEndStream(MODEL.contract.front_end, hop_s, step=MODEL.stride, phase=phase)
        self._decider = Decider(MODEL.contract, hop_s)
        self.said: list[Verdict] = []

    def hear(self, block: Block | None) -> None:
        for window in self._stream.flush() if block is None else self._stream.push(block):
            silent = self._decider.is_silent(window)
            verdict, _ = self._decider.push(window, None if silent else MODEL.infer(window.frames[None])[0])
            self.said.append(verdict)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_hour_beside_others_says_what_it_says_alone(hour):
    kept, scheduler = Kept(), Scheduler(MODEL)

    def station(id: str, hop_s: float) -> Station:
        reporter = Reporter(kept, id, "b00t", MODEL.contract.labels)

        def listener(hop_s: float) -> Listener:
            return Listener(id=id, model=MODEL, hop_s=hop_s, scheduler=scheduler, reporter=reporter)

        return Station(
            id, open_source=lambda: FileSource(hour), new_listener=listener, reporter=reporter, hop_s=hop_s
        )

    async def main() -> None:
        await asyncio.gather(*(station(id, hop_s).run() for id, hop_s in STATIONS.items()))

    asyncio.run(main())

    alone = {id: Alone(id, hop_s) for id, hop_s in STATIONS.items()}
    for event in itertools.chain(read_file(hour), [None]):
        for other in alone.values() if event is None or isinstance(event, Block) else ():
            other.hear(event)
    for id, hop_s in STATIONS.items():
        assert len(kept.said[id]) == len(alone[id].said) >= HOUR_S / hop_s - 3
        for told, verdict in zip(kept.said[id], alone[id].said, strict=True):
            assert (told["state"], told["genre"]) == (verdict.state, verdict.genre), verdict.position_s
            assert told["position"] == pytest.approx(verdict.position_s, abs=1e-3)
            if verdict.probabilities is not None:
                heard = np.array([told["probabilities"][label] for label in MODEL.contract.labels])
                # The wire rounds to four places.
                assert np.abs(heard - verdict.probabilities).max() <= 1e-4 + 5e-5
