"""How many files a second does an archive's tagging do: on one Ray node, on two, and without Ray?

Nodes are processes of this machine, each kept to a core of its own: the first with the cluster's own
services and the command, the second with a worker alone. The same files for all, so each run is beside its
floor, which is as many processes of `--jobs` on the same cores. A rate is that of the files between the
first part that is done and the last, the best of some runs: starts are told apart, and what else the
machine does only takes away.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from pyarrow import parquet

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/archive.py` has only bench there

from bench.content import KINDS, MUSIC, encode
from bench.ray_nodes import RayNodes
from streamer.demo.programme import render
from streamer.demo.synth import RATE

ROOT = Path(__file__).parents[1]
FILES = 320
SECONDS = 60.0
CORES = sorted(os.sched_getaffinity(0))
HEAD, NODE = "127.0.0.51", "127.0.0.52"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.archive", description=__doc__)
    parser.add_argument("--stations", type=int, default=FILES, metavar="N", help="files")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="of audio in each")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of each kind, in turn")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="archive-") as folder, RayNodes() as nodes:
        media = Path(folder, "in")
        _write(media, options.stations, options.seconds)
        first, both = {CORES[0]}, set(CORES[:2])
        nodes.head(HEAD, cpus=1, cores=first)
        kinds: dict[str, list[tuple[float, float]]] = {"1": [], "2": [], "local_1": [], "local_2": []}
        for number in range(options.runs):

            def run(kind: str, cores: set[int], *words: str, number: int = number) -> None:
                out = Path(folder, f"{kind}-{number}")
                kinds[kind].append(_run(media, out, cores, nodes.environment, *words))

            cluster = ("--cluster", "--address", nodes.endpoint)
            run("1", first, *cluster)
            second = nodes.node(NODE, cpus=1, cores=both - first)
            run("2", first, *cluster)
            second.kill()
            run("local_1", first, "--jobs", "1")
            run("local_2", both, "--jobs", "2")
    rates = {kind: max(rate for rate, _ in runs) for kind, runs in kinds.items()}
    starts = {kind: min(start_s for _, start_s in runs) for kind, runs in kinds.items()}
    print(
        json.dumps(
            {
                "bench": "archive",
                "what": "files a second by Ray nodes of a core each, and by as many local processes",
                "files": options.stations,
                "seconds": options.seconds,
                "files_per_s": {kind: round(rate, 2) for kind, rate in rates.items()},
                "two_nodes_to_one": round(rates["2"] / rates["1"], 3),
                "two_processes_to_one": round(rates["local_2"] / rates["local_1"], 3),
                "node_to_process": round(rates["1"] / rates["local_1"], 3),
                "start_s": {kind: round(start_s, 2) for kind, start_s in starts.items()},
                "runs": options.runs,
            }
        )
    )


def _write(folder: Path, files: int, seconds: float) -> None:
    """Write so many files of the demo's music; ten of them differ, the others are links to those."""
    folder.mkdir()
    music = render(MUSIC, 0)
    for number in range(files):
        path = folder / f"{number:04}.mp3"
        if number < 10:
            at = np.arange(round(seconds * RATE)) + number * RATE
            path.write_bytes(encode(music[at % len(music)], KINDS["mp3-44100"]))
        else:
            os.link(folder / f"{number % 10:04}.mp3", path)


def _run(
    media: Path, out: Path, cores: set[int], environment: dict[str, str], *words: str
) -> tuple[float, float]:
    """Tag the files; give files a second once it runs, and the seconds until the first part was done."""
    began = time.time()
    command = [sys.executable, "-m", "streamer.cli", "classify", str(media), "--out", str(out), *words]
    keep = partial(os.sched_setaffinity, 0, cores)
    subprocess.run(command, env=environment, cwd=ROOT, check=True, stderr=subprocess.DEVNULL, preexec_fn=keep)
    done = sorted((path.stat().st_mtime, path.name) for path in (out / "files").iterdir())
    files = sum(parquet.read_metadata(out / "files" / name).num_rows for _, name in done[1:])
    return files / (done[-1][0] - done[0][0]), done[0][0] - began


if __name__ == "__main__":
    main()
