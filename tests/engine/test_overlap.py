"""Each frame's share of the network is computed once, and nobody can tell."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.overlap import Overlap
from streamer.engine.scheduler import Scheduler
from streamer.flow import Block, Window
from streamer.model.session import Model
from streamer.model.stage import Stage
from streamer.signal.front_end import FrontEndStream

MODEL = Model.load(provider="cpu")
FRONT = MODEL.contract.front_end


def heard(seconds: float, hop_s: float, seed: int, *, lost: int = 0, phase: float = 0.0) -> list[Window]:
    """Give the windows of noise that changes, with a loss in the middle."""
    rng = np.random.default_rng(seed)
    stream = FrontEndStream(FRONT, hop_s, step=MODEL.stride, phase=phase)
    windows = []
    for part in range(int(seconds / 0.5)):
        samples = rng.normal(scale=rng.uniform(0.001, 0.3), size=(8_000, 1)).astype(np.float32)
        windows += stream.push(Block(samples, FRONT.sample_rate, lost if part == 9 else 0))
    return windows + stream.flush()


def whole(windows: list[Window]) -> np.ndarray:
    """Give what the whole graph says of windows."""
    return MODEL.infer(np.stack([window.frames for window in windows]))


class Watched(SimpleNamespace):
    """The model, and how many windows of how many steps each part of it was given."""

    def __init__(self) -> None:
        self.seen: dict[str, list[tuple[int, int]]] = {stage.made: [] for stage in MODEL.stages}
        self.judged: list[int] = []
        self.provider, self.stride, self.steps = "cpu", MODEL.stride, MODEL.steps
        self.stages = [replace(stage, session=self._watch(stage)) for stage in MODEL.stages]

    def _watch(self, stage: Stage) -> Any:
        def run(names: list[str], tensors: dict[str, np.ndarray]) -> Any:
            given = tensors[stage.given]
            self.seen[stage.made].append((len(given), given.shape[stage.axis]))
            return stage.session.run(names, tensors)

        return SimpleNamespace(run=run)

    def classify(self, given: np.ndarray) -> np.ndarray:
        self.judged.append(len(given))
        return MODEL.classify(given)


@settings(max_examples=25, deadline=None)
@given(
    hop_s=st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0, 2.0, 2.05, 2.1, 2.2, 2.9, 3.0, 5.0]),
    seed=st.integers(0, 1000),
    lost=st.sampled_from([0, 777, 60_000]),
    phase=st.floats(0, 1),
    mute=st.integers(0, 7),
)
def test_windows_are_those_of_the_whole_graph_at_any_hop(hop_s, seed, lost, phase, mute):
    windows = heard(12.0, hop_s, seed, lost=lost, phase=phase)
    overlap, scheduler = Overlap(MODEL), Scheduler(MODEL)
    loud = []

    async def main() -> list[np.ndarray]:
        answers = []
        for number, window in enumerate(windows):
            if mute & number & 3:  # silence, of which the model isn't asked
                overlap.passes(window)
                continue
            loud.append(window)
            answers += await scheduler.infer(overlap, [window])
        return answers

    answers = asyncio.run(main())

    assert np.abs(np.stack(answers) - whole(loud)).max() <= 1e-5


def test_only_new_frames_are_asked_for():
    overlap = Overlap(MODEL)
    windows = heard(8.0, 1.0, 0)

    asked = [len(overlap.asks(window)) for window in windows[:-1]]

    assert asked[0] == FRONT.n_frames
    assert set(asked[1:]) == {MODEL.stages[0].context + 64}


@pytest.mark.parametrize(("hop_s", "new"), [(0.25, 4), (1.0, 16), (2.0, 32)])
def test_stages_make_new_steps_alone(hop_s: float, new: int) -> None:
    watched, windows = Watched(), heard(8.0, hop_s, 0)[:-1]

    async def main() -> None:
        overlap, scheduler = Overlap(watched), Scheduler(watched)
        for window in windows:
            await scheduler.infer(overlap, [window])

    asyncio.run(main())

    first, *rest = watched.seen["found"]
    assert (first, set(rest)) == ((1, FRONT.n_frames), {(1, 30 + new * 4)})
    first, *rest = watched.seen["features"]
    assert (first, set(rest)) == ((1, 40), {(1, 6 + new)})


def test_stages_are_given_few_windows_at_a_time_the_head_many() -> None:
    watched = Watched()
    scheduler = Scheduler(watched)

    async def main() -> None:
        windows = heard(8.0, 1.0, 0)[:1] * 20
        await asyncio.gather(*(scheduler.infer(Overlap(watched), [window]) for window in windows))

    asyncio.run(main())

    assert [batch for batch, _ in watched.seen["found"]] == [16, 4]
    assert [batch for batch, _ in watched.seen["features"]] == [16, 4]
    assert watched.judged == [20]


def test_what_is_kept_of_a_station_is_small() -> None:
    overlap, scheduler = Overlap(MODEL), Scheduler(MODEL)

    asyncio.run(scheduler.infer(overlap, heard(8.0, 1.0, 0)))

    kept = [array if array.base is None else array.base for array in overlap._kept]
    assert sum(array.nbytes for array in kept) <= 50_000, [array.shape for array in kept]


def test_what_failed_is_asked_for_again_and_what_waited_behind_it_is_given_up() -> None:
    watched, windows = Watched(), heard(14.0, 0.25, 0)
    scheduler = Scheduler(watched)
    classify = watched.classify

    def fails(_: np.ndarray) -> np.ndarray:
        watched.classify = classify
        raise RuntimeError("no memory")

    async def main() -> list[np.ndarray]:
        overlap = Overlap(watched)
        watched.classify = fails
        with pytest.raises(RuntimeError, match="no memory"):
            await scheduler.infer(overlap, windows[:40])
        return await scheduler.infer(overlap, windows[40:])

    answers = asyncio.run(main())

    assert scheduler.windows == len(windows) - 40
    assert np.abs(np.stack(answers) - whole(windows[40:])).max() <= 1e-5


def test_stations_in_one_batch_do_not_mix():
    """Their windows differ in what is new, so that stages are called with several lengths."""
    hops = enumerate([1.0, 0.5, 0.25, 3.0] * 3)
    tracks = [heard(9.0, hop_s, seed, lost=seed % 2, phase=seed / 11) for seed, hop_s in hops]
    scheduler = Scheduler(MODEL)

    async def station(windows: list[Window]) -> list[np.ndarray]:
        overlap, answers = Overlap(MODEL), []
        for start in range(0, len(windows), 3):
            answers += await scheduler.infer(overlap, windows[start : start + 3])
        return answers

    async def main() -> list[list[np.ndarray]]:
        return await asyncio.gather(*map(station, tracks))

    for windows, answers in zip(tracks, asyncio.run(main()), strict=True):
        assert np.abs(np.stack(answers) - whole(windows)).max() <= 1e-5
