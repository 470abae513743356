"""What does a window of 3 s cost, beside the textbook way with the same weights?

Ours is what the daemon pays at a 1 s hop: the mel of the new second, the network's share of its
frames, the judgement of the whole window. The textbook computes librosa's mel of the whole window and
runs the network in eager PyTorch. All in one process, one thread, in turn; CPU times, medians.
That both answer alike is shown on the demo's programme, a window each quarter of a second.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soxr
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/window.py` has only bench there

from bench.content import MUSIC
from bench.textbook import TextbookMel, TextbookNetwork, levels
from streamer.config import SHIPPED_MODELS
from streamer.contract import FrontEnd
from streamer.demo.programme import render
from streamer.demo.synth import RATE
from streamer.flow import Frames, Probabilities, Samples
from streamer.model.session import Model
from streamer.signal.mel import MelStream

SECONDS = 20.0  # of measuring
WARM_UP = 3  # rounds
IN_A_ROW = 5  # windows of one way
HOP_S, SHORT_HOP_S = 1.0, 0.25  # from window to window; at the latter both ways are compared
SEEDS = (1, 2)  # of the programmes that are compared on
MATRIX = 512  # rows and columns


class Streaming:
    """Our way: every frame once, every step of features once.

    Args:
        model: whose stages and `classify` are called.
        stations: that are judged in one batch; all hear the same.
    """

    def __init__(self, model: Model, stations: int = 1) -> None:
        self._model, self._stations = model, stations
        front = model.contract.front_end
        self._mel = MelStream(front)
        # Of what each stage is given, and the judge, that which is needed again.
        self._kept: list[NDArray[np.float32] | None] = [None] * (len(model.stages) + 1)
        self.count = 0  # frames that the last window ends after

    def hear(self, samples: Samples) -> Frames:
        """Take (n,) new samples; give their (k, n_mels) frames."""
        return self._mel.push(samples)[0]

    def judge(self, frames: Frames) -> Probabilities | None:
        """Take the new frames; give what the window says that ends with them, once one is whole."""
        model, front = self._model, self._model.contract.front_end
        given: NDArray[np.float32] = np.broadcast_to(frames, (self._stations, *frames.shape))
        for number, stage in enumerate(model.stages):
            given = self._with_kept(number, given, stage.axis)
            new = (given.shape[stage.axis] - stage.context) // stage.stride
            self._kept[number] = stage.part(given, max(new, 0), 1)
            if new < 1:
                return None
            given = stage.run(np.ascontiguousarray(stage.part(given, 0, new)))
        axis = 2 if model.stages else 1
        self.count = self.count or front.n_frames - model.steps * model.stride
        self.count += given.shape[axis] * model.stride
        given = self._with_kept(-1, given, axis)
        self._kept[-1] = given = given[:, :, -model.steps :] if axis == 2 else given[:, -model.steps :]
        if given.shape[axis] < model.steps:
            return None
        answer: Probabilities = model.classify(given)[0]
        return answer

    def _with_kept(self, number: int, new: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
        kept = self._kept[number]
        return new if kept is None else np.concatenate((kept, new), axis=axis)


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    with threadpool_limits(1):
        print(json.dumps(_measure(options.model, options.stations, options.seconds)))
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.window", description=__doc__)
    parser.add_argument("--stations", type=int, default=1, metavar="N", help="judged in one batch (ours)")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="of measuring")
    parser.add_argument("--model", default="default", metavar="FILE", help="or the name of a shipped one")
    return parser.parse_args(arguments)


def _measure(name: str, stations: int, seconds: float) -> dict[str, object]:
    path = Path(str(files("streamer.model") / f"{name}.onnx")) if name in SHIPPED_MODELS else Path(name)
    model, graph = Model.load(path, provider="cpu"), onnx.load(path)
    front = model.contract.front_end
    network, mel = TextbookNetwork(graph), TextbookMel(front)
    samples = _programme(front)
    agreement, difference, compared = _compare(model, mel, network, samples)
    ms = _time(model, mel, network, samples, stations, seconds)
    flops = _flops(model, network)
    ours, whole = ms["mel"] + ms["model"], ms["whole_mel"] + ms["whole_model"]
    short = ms["short_mel"] + ms["short_model"]
    textbook = ms["textbook_mel"] + ms["textbook_model"]
    return {
        "bench": "window",
        "what": "CPU ms for a window of 3 s, one thread: ours at hops of 1 and 0.25 s, ours whole, textbook",
        "model": model.contract.name,
        "ours_ms": round(ours, 4),
        "ours_025_ms": round(short, 4),
        "ours_whole_ms": round(whole, 4),
        "textbook_ms": round(textbook, 4),
        "ratio": round(textbook / ours, 2),
        "ratio_025": round(textbook / short, 2),
        "ratio_whole": round(textbook / whole, 2),
        "ratio_prebuilt": round((ms["textbook_mel_prebuilt"] + ms["textbook_model"]) / ours, 2),
        "stages_ms": {stage: round(value, 4) for stage, value in ms.items() if stage != "matmul"},
        "model_gflops": round(flops["new"] / ms["model"] / 1e6, 2),
        "model_gflops_whole": round(flops["whole"] / ms["whole_model"] / 1e6, 2),
        "matmul_gflops": round(2 * MATRIX**3 / ms["matmul"] / 1e6, 2),
        "mflop": {part: round(count / 1e6, 3) for part, count in flops.items()},
        "label_agreement": round(agreement, 5),
        "max_probability_difference": float(f"{difference:.3g}"),
        "windows_compared": compared,
        "stations": stations,
        "hop_s": HOP_S,
    }


def _programme(front: FrontEnd) -> Samples:
    """Give the demo's music at the model's rate, mono."""
    music = np.concatenate([render(MUSIC, seed) for seed in SEEDS]).mean(axis=1)
    samples: Samples = soxr.resample(music, RATE, front.sample_rate).astype(np.float32)
    return samples


def _compare(
    model: Model, mel: TextbookMel, network: TextbookNetwork, samples: Samples
) -> tuple[float, float, int]:
    """Give the share of windows with the same label, the largest difference of a probability, the count."""
    front = model.contract.front_end
    powers = MelStream(front).push(samples)[1]
    sums = levels(front, powers, 0.0, 0)[1] if front.normalisation == "level" else np.zeros(len(powers))
    stream, step = Streaming(model), round(SHORT_HOP_S * front.sample_rate)
    same, worst, count = 0, 0.0, 0
    for at in range(0, len(samples), step):
        ours = stream.judge(stream.hear(samples[at : at + step]))
        if ours is None:
            continue
        first = stream.count - front.n_frames
        window = samples[first * front.hop_length :][: front.window_samples]
        before = float(sums[first - 1]) if first else 0.0
        theirs = network.infer(mel.frames(window, before=before, count=first)[None])[0]
        same += int(ours.argmax() == theirs.argmax())
        worst, count = max(worst, float(np.abs(ours - theirs).max())), count + 1
    return same / count, worst, count


def _time(
    model: Model, mel: TextbookMel, network: TextbookNetwork, samples: Samples, stations: int, seconds: float
) -> dict[str, float]:
    """Give the median CPU ms of each stage.

    The ways take turns, so that what else the machine does meets all alike; each for `IN_A_ROW`
    windows, so that its caches are as warm as where many stations are heard.
    """
    front = model.contract.front_end
    prebuilt = TextbookMel(front, prebuilt=True)
    matrix = np.random.default_rng(0).standard_normal((MATRIX, MATRIX)).astype(np.float32)
    streams = {
        prefix: (Streaming(model, stations), round(hop_s * front.sample_rate))
        for prefix, hop_s in (("", HOP_S), ("short_", SHORT_HOP_S))
    }
    times: dict[str, list[float]] = {}

    def timed(stage: str, call: Callable[..., Any], *given: Any, share: int = 1) -> Any:
        began = time.process_time_ns()
        result = call(*given)
        times.setdefault(stage, []).append((time.process_time_ns() - began) / 1e6 / share)
        return result

    def windows() -> Iterator[Samples]:
        return islice(cut, IN_A_ROW)

    length = front.window_samples
    cut = cycle([samples[at : at + length] for at in range(0, len(samples) - length + 1, length)])
    until, rounds = time.monotonic() + seconds, 0
    while time.monotonic() < until or rounds < 2 * WARM_UP:
        for prefix, (stream, hop) in streams.items():
            for window in windows():
                frames = timed(f"{prefix}mel", stream.hear, window[:hop])
                timed(f"{prefix}model", stream.judge, frames, share=stations)
        for window in windows():
            frames, _ = timed("whole_mel", MelStream(front).push, window)
            timed("whole_model", model.infer, frames[None])
        for window in windows():
            frames = timed("textbook_mel", mel.frames, window)
            timed("textbook_model", network.infer, frames[None])
        for window in windows():
            timed("textbook_mel_prebuilt", prebuilt.frames, window)
        for _ in range(IN_A_ROW):
            timed("matmul", np.matmul, matrix, matrix)
        rounds += 1
    # The first rounds fill caches, and a stream's first seconds complete no window.
    return {stage: statistics.median(found[WARM_UP * IN_A_ROW :]) for stage, found in times.items()}


def _flops(model: Model, network: TextbookNetwork) -> dict[str, int]:
    """Count the work in convolutions and products: at a hop, and of a whole window."""
    front, net = model.contract.front_end, network.network
    whole = torch.zeros(1, front.n_frames, front.n_mels)
    begin, given, total, new = "", whole, 0, round(HOP_S / front.frame_s) // model.stride * model.stride
    for stage in model.stages:
        new = min(new // stage.stride, stage.steps)
        part = given.narrow(stage.axis, 0, stage.context + new * stage.stride)
        total += net.count_flops(part, stage.made, begin=begin)
        begin, given = stage.made, net.run(given, stage.made, begin=begin)
    total += net.count_flops(given, "probabilities", begin=begin)
    return {"new": total, "whole": net.count_flops(whole, "probabilities")}


if __name__ == "__main__":
    sys.exit(main())
