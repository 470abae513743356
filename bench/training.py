"""Is the loader ever what training waits for?

The same steps of a recipe are taken in turn on batches drawn from a prepared set, and on random
windows that lie in memory already: the ratio of their speeds is what drawing costs. The share is
of a real step's time that goes into forward, backward and the optimiser; the rest is drawing,
augmentation and mixing.
"""

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))  # else `training` is this file

from streamer.contract import FrontEnd
from streamer.errors import GenrecastError
from training.batches import Batch, ClipBatches
from training.learner import Learner, pick_device
from training.recipe import Recipe, read_recipe
from training.splits import make_split
from training.store import Entry, Index, PreparedSet, write_clip

STEPS = 60
WARM_UP = 5
CLIPS, LABELS, CLIP_S = 72, 6, 30.0  # of the synthetic set: two hours of data would change nothing but memory
FAILED = 2


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    try:
        recipe = read_recipe(options.recipe)
        with TemporaryDirectory() as folder:
            if options.data is None:
                _synthesise(Path(folder), recipe.front_end)
            prepared = PreparedSet(options.data or Path(folder))
            figures = _measure(recipe, prepared, options.steps, options.device)
    except GenrecastError as error:
        print(f"bench.training: {error.message}\n  -> {error.remedy}", file=sys.stderr)
        return FAILED
    what = "share of a step in forward, backward and optimiser; speed against windows already in memory"
    data = "synthetic" if options.data is None else options.data.name
    print(json.dumps({"bench": "training", "what": what, "recipe": recipe.name, "data": data, **figures}))
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.training", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="SET", help="a prepared set (default: a synthetic one)")
    parser.add_argument("--recipe", default="base")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="N")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return parser.parse_args(arguments)


def _measure(recipe: Recipe, prepared: PreparedSet, steps: int, device: str) -> dict[str, object]:
    recipe = msgspec.structs.replace(recipe, distil=None)  # what a teacher said is drawn like the windows
    labels = prepared.labels
    split = make_split(prepared.clips, folds=5, fold=0, seed=1)
    batches = ClipBatches(prepared, split.train, recipe, labels)
    learner = Learner(recipe, recipe.seed, len(labels), None, pick_device(device))
    forward_from: list[float] = []
    learner.net.filters.register_forward_pre_hook(lambda *_: forward_from.append(time.perf_counter()))
    drawn = batches.draw(recipe.seed, 0)
    random = np.random.default_rng(0).standard_normal(drawn.frames.shape).astype(np.float32)
    in_memory = Batch(random, drawn.targets)
    whole, computing, bare = [], [], []
    for step in range(WARM_UP + steps):
        began = time.perf_counter()
        learner.step(step, batches.draw(recipe.seed, step))
        ended = time.perf_counter()
        whole.append(ended - began)
        computing.append((ended - forward_from[-1]) / (ended - began))
        learner.step(step, in_memory)
        bare.append(time.perf_counter() - ended)
    whole_s, bare_s = (statistics.median(times[WARM_UP:]) for times in (whole, bare))
    return {
        "share_computing": round(statistics.median(computing[WARM_UP:]), 4),
        "ratio_to_random_tensors": round(bare_s / whole_s, 4),
        "steps_per_s": round(1.0 / whole_s, 2),
        "batch": recipe.fit.batch,
        "device": learner.device.type,
        "threads": torch.get_num_threads(),
        "cpus": os.cpu_count(),
        "steps": steps,
    }


def _synthesise(folder: Path, front_end: FrontEnd) -> None:
    """Write a prepared set of noise."""
    (folder / "clips").mkdir()
    random = np.random.default_rng(0)
    count = round(CLIP_S / front_end.frame_s)
    clips = []
    for i in range(CLIPS):
        file = f"clips/{i}.npz"
        write_clip(
            folder / file,
            random.standard_normal((count, front_end.n_mels)).astype(np.float32),
            np.ones(count, np.float32),
        )
        label, group = f"label{i % LABELS}", f"group{i}"
        clips.append(Entry(id=str(i), label=label, group=group, licence="", file=file, frames=count))
    (folder / "index.json").write_bytes(msgspec.json.encode(Index(front_end=front_end, clips=clips)))


if __name__ == "__main__":
    sys.exit(main())
