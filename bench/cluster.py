"""What do stations cost in a cluster, beside the same stations in one daemon: engine, host, Ray, gateway?

Both on this machine and in one run, one after the other: a daemon with N stations; then a head, two
nodes and a gateway, each a process tree of its own, with the same stations in shards. CPU and memory are
told by whose they are. Memory is proportional: pages that processes share are counted once.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/cluster.py` has only bench there

from bench import content
from bench.daemon import ROOT, cpu_s, daemon, memory_kb, stations_toml, tree
from bench.ports import free_port
from bench.radio import radio
from bench.ray_nodes import RayNodes

HEAD, NODES = "127.0.0.31", ("127.0.0.32", "127.0.0.33")
SETTLE_S = 15.0
COMMAND = (sys.executable, "-m", "streamer.cli")
Usage = dict[str, float]
PARTS = {  # by what a process's command line has in it; the first that fits
    "engine": ("streamer.engine.worker",),
    "host": ("ray::Shard",),
    "coordinator": ("ray::Coordinator",),
    "raylet": ("raylet/raylet",),
    "gcs": ("gcs_server",),
    "ray_others": ("ray",),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.add_argument("--stations", type=int, default=250, metavar="N")
    parser.add_argument("--per-shard", type=int, default=125, metavar="N")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        content.make(folder, content.DEFAULT)
        with radio(folder, options.stations) as playing:
            lines = stations_toml([playing.url(number) for number in range(options.stations)])
            alone = _alone(folder, lines, options.seconds)
            together = _together(folder, lines, options.per_shard, options.seconds)
    print(
        json.dumps(
            {
                "bench": "cluster",
                "stations": options.stations,
                "per_shard": options.per_shard,
                "seconds": options.seconds,
                "daemon": _rounded(alone, options.stations),
                "cluster": {part: _rounded(usage, options.stations) for part, usage in together.items()},
            }
        )
    )


def _alone(folder: Path, lines: str, seconds: float) -> Usage:
    (folder / "daemon.toml").write_text(lines)
    with daemon("--config", str(folder / "daemon.toml")) as running:
        time.sleep(SETTLE_S)
        return _measured({"all": tree(running.process.pid)}, seconds)["all"]


def _together(folder: Path, lines: str, per_shard: int, seconds: float) -> dict[str, Usage]:
    inlet = f"tcp://127.0.0.1:{free_port()}"
    config = folder / "cluster.toml"
    config.write_text(f"gateways = ['{inlet}']\n[cluster]\nper_shard = {per_shard}\n{lines}")
    with RayNodes() as ray, _gateway(inlet, f"ipc://{folder}/gateway") as gateway:
        ray.head(HEAD, cpus=0)
        for address in NODES:
            ray.node(address, cpus=8, resources='{"station": 100000}')
        for words in (("up", str(config)), ("status",)):
            command = [*COMMAND, "cluster", *words, "--address", ray.endpoint]
            subprocess.run(command, cwd=ROOT, env=ray.environment, check=True, stdout=sys.stderr)
            time.sleep(SETTLE_S)
        parts: dict[str, list[int]] = {part: [] for part in PARTS}
        for node in ray.nodes:
            for pid in node.processes():
                parts[_part(pid)].append(pid)
        return _measured(parts | {"gateway": tree(gateway)}, seconds)


@contextmanager
def _gateway(inlet: str, outlet: str) -> Iterator[int]:
    process = subprocess.Popen([*COMMAND, "gateway", "--accept", inlet, "--bind", outlet], cwd=ROOT)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def _part(pid: int) -> str:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        line = ""
    return next((part for part, words in PARTS.items() if any(word in line for word in words)), "ray_others")


def _measured(parts: dict[str, list[int]], seconds: float) -> dict[str, Usage]:
    before = {part: _cpu_s(pids) for part, pids in parts.items()}
    time.sleep(seconds)
    return {
        part: {
            "processes": len(pids),
            "cores": (_cpu_s(pids) - before[part]) / seconds,
            "mb": sum(memory_kb(pid)[1] for pid in pids) / 1024,
        }
        for part, pids in parts.items()
    }


def _cpu_s(pids: Iterable[int]) -> float:
    return sum(cpu_s(pid) for pid in pids)


def _rounded(usage: Usage, stations: int) -> Usage:
    usage = usage | {"cpu_ms_per_station_second": 1e3 * usage["cores"] / stations}
    return {key: round(value, 3) for key, value in usage.items()}


if __name__ == "__main__":
    main()
