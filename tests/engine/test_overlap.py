"""Each frame's share of the network is computed once, and nobody can tell."""

import asyncio

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.engine.overlap import Overlap
from streamer.engine.scheduler import Scheduler
from streamer.flow import Block, Window
from streamer.model.session import Model
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


@settings(max_examples=25, deadline=None)
@given(
    hop_s=st.sampled_from([0.1, 0.25, 0.3, 0.5, 1.0, 2.9, 3.0, 5.0]),
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

    whole = MODEL.infer(np.stack([window.frames for window in loud]))
    assert np.abs(np.stack(answers) - whole).max() <= 1e-5


def test_only_new_frames_are_asked_for():
    overlap = Overlap(MODEL)
    windows = heard(8.0, 1.0, 0)

    asked = [len(overlap.asks(window)) for window in windows[:-1]]

    assert asked[0] == FRONT.n_frames
    assert set(asked[1:]) == {MODEL.context + 64}


def test_stations_in_one_batch_do_not_mix():
    """Their windows differ in what is new, so that the trunk is called with several lengths."""
    tracks = [heard(9.0, hop_s, seed, phase=seed / 7) for seed, hop_s in enumerate([1.0, 0.5, 0.25, 3.0] * 2)]
    scheduler = Scheduler(MODEL, stations=100)

    async def station(windows: list[Window]) -> list[np.ndarray]:
        overlap, answers = Overlap(MODEL), []
        for start in range(0, len(windows), 3):
            answers += await scheduler.infer(overlap, windows[start : start + 3])
        return answers

    async def main() -> list[list[np.ndarray]]:
        return await asyncio.gather(*map(station, tracks))

    for windows, answers in zip(tracks, asyncio.run(main()), strict=True):
        whole = MODEL.infer(np.stack([window.frames for window in windows]))
        assert np.abs(np.stack(answers) - whole).max() <= 1e-5
