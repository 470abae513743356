"""How much CPU does our model take for a window of 3 s, beside the teacher that it learnt from?

Everything runs in one process, one thread of ONNX Runtime, one window at a time, in turn, so
that what else the machine does meets all alike; each asked twice, first with what the others left
in the caches, and again with its own: as with one station, and as with many. The pruned teacher is a file
(`--teacher`, or GENRECAST_TEACHER); the unpruned one is a file too, or is rebuilt with random weights.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/teacher.py` has only bench there

from bench.musicnn import musicnn
from streamer.contract import FrontEnd
from streamer.errors import GenrecastError
from streamer.model.session import Model
from streamer.signal.mel import MelStream
from training.teacher import FRONT_END as TEACHER_FRONT_END

ROUNDS = 200
WARM_UP = 10  # rounds: allocations, caches
WINDOW_S = 3.0
MISSING = 2


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    if options.teacher is None:
        print(
            "bench.teacher: no teacher is given: give --teacher FILE.onnx or set GENRECAST_TEACHER",
            file=sys.stderr,
        )
        return MISSING
    try:
        model = Model.load(options.model, provider="cpu")
        rivals = {"pruned": _session(options.teacher.read_bytes())}
        rebuilt = options.unpruned is None
        rivals["unpruned"] = _session(musicnn() if rebuilt else options.unpruned.read_bytes())
    except (GenrecastError, OSError, ValueError) as error:
        print(f"bench.teacher: {getattr(error, 'message', error)}", file=sys.stderr)
        return MISSING
    front = model.contract.front_end
    calls = {
        "ours": _with(model.infer, front),
        **{name: _with(session, TEACHER_FRONT_END) for name, session in rivals.items()},
        "our_mel": _mel(front),
        "teacher_mel": _mel(TEACHER_FRONT_END),
    }
    ms = {name: statistics.median(times) for name, times in _measure(calls, options.rounds).items()}
    print(
        json.dumps(
            {
                "bench": "teacher",
                "what": "CPU ms for one window of 3 s, ONNX Runtime, one thread, medians of rounds in turn",
                **{f"{name}_ms": round(value, 3) for name, value in ms.items()},
                "ratio_pruned": round(ms["pruned"] / ms["ours"], 2),
                "ratio_unpruned": round(ms["unpruned"] / ms["ours"], 2),
                "ratio_pruned_again": round(ms["pruned_again"] / ms["ours_again"], 2),
                "ratio_unpruned_again": round(ms["unpruned_again"] / ms["ours_again"], 2),
                "model": model.contract.name,
                "pruned": options.teacher.name,
                "unpruned": "same layers, random weights" if rebuilt else options.unpruned.name,
                "onnxruntime": ort.__version__,
                "rounds": options.rounds,
            }
        )
    )
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    given = os.environ.get("GENRECAST_TEACHER")
    parser = argparse.ArgumentParser(prog="python -m bench.teacher", description=__doc__)
    parser.add_argument("--teacher", type=Path, default=Path(given) if given else None, metavar="FILE")
    parser.add_argument("--unpruned", type=Path, metavar="FILE", help="default: rebuilt, random weights")
    parser.add_argument("--model", metavar="FILE", help="of ours, or `accurate` (default: the default one)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, metavar="N")
    return parser.parse_args(arguments)


def _session(data: bytes) -> Callable[[np.ndarray], object]:
    """Open an ONNX file as the streamer opens its own, and give what asks it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises bare classes of its own making
        raise ValueError(f"ONNX Runtime refuses the teacher: {error}") from error
    name = session.get_inputs()[0].name
    return lambda x: session.run(["tags"], {name: x})


def _with(ask: Callable[[np.ndarray], object], front_end: FrontEnd) -> Callable[[], object]:
    """Ask about one window; values don't change the cost as long as none is denormal."""
    shape = (1, front_end.n_frames, front_end.n_mels)
    window = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    return lambda: ask(window)


def _mel(front_end: FrontEnd) -> Callable[[], object]:
    """Compute the frames of one window's samples."""
    noise = np.random.default_rng(1).standard_normal(round(WINDOW_S * front_end.sample_rate))
    samples = (0.1 * noise).astype(np.float32)
    stream = MelStream(front_end)

    def push() -> None:
        stream.push(samples)
        stream.reset()

    return push


def _measure(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Give the CPU ms of each call in each round, all calls in turn, and of each made `again` at once."""
    times: dict[str, list[float]] = {name + suffix: [] for suffix in ("", "_again") for name in calls}
    for turn in range(WARM_UP + rounds):
        for name, call in calls.items():
            for key in (name, f"{name}_again"):
                started = time.process_time_ns()
                call()
                if turn >= WARM_UP:
                    times[key].append((time.process_time_ns() - started) / 1e6)
    return times


if __name__ == "__main__":
    sys.exit(main())
