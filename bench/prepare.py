"""How many hours of MP3 does an hour of a core prepare for training, beside ffmpeg's plain decoding?

The demo's music at other speeds, so that no two files are alike, as MP3 of 128 kbit/s. Both
commands run over the files and over as many of two seconds: the difference is what the audio costs, without
the start of interpreters and their imports. CPU times of all processes.
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/prepare.py` has only bench there

from bench.content import KINDS, MUSIC, encode
from streamer.demo.programme import render
from streamer.demo.synth import RATE
from streamer.flow import MultiSamples

ROOT = Path(__file__).parents[1]
FILES = 10
SECONDS = 120.0
SHORT_S = 2.0  # more than prepare's shortest clip
SPEED = 1.06  # from one file to the next: what finds duplicates takes them for different recordings
KIND = KINDS["mp3-44100"]


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    with TemporaryDirectory() as folder:
        long, short = Path(folder) / "long", Path(folder) / "short"
        for where, seconds in ((long, options.seconds), (short, SHORT_S)):
            where.mkdir()
            _write(where, options.stations, seconds)
        hours = options.stations * (options.seconds - SHORT_S) / 3600
        try:
            ours_h = _difference(lambda where: _prepare(where, options.jobs), long, short) / 3600
            ffmpeg_h = _difference(_decode, long, short) / 3600
        except (subprocess.CalledProcessError, FileNotFoundError) as error:
            print(f"bench.prepare: {error}", file=sys.stderr)
            return 1
    print(
        json.dumps(
            {
                "bench": "prepare",
                "what": "hours of MP3 for an hour of a core, starts left out: ours, ffmpeg's decoding",
                "audio_hours_per_core_hour": round(hours / ours_h, 1),
                "ffmpeg_hours_per_core_hour": round(hours / ffmpeg_h, 1),
                "ratio": round(ffmpeg_h / ours_h, 3),
                "ours_ms_per_second": round(ours_h / hours * 1e3, 3),
                "ffmpeg_ms_per_second": round(ffmpeg_h / hours * 1e3, 3),
                "files": options.stations,
                "seconds": options.seconds,
            }
        )
    )
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.prepare", description=__doc__)
    parser.add_argument("--stations", type=int, default=FILES, metavar="N", help="files")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="of audio in each")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="processes of ours")
    return parser.parse_args(arguments)


def _write(folder: Path, files: int, seconds: float) -> None:
    """Write so many files, and `manifest.csv` that names them."""
    music = [render(MUSIC, seed) for seed in range(2)]
    rows = []
    for number in range(files):
        name = f"{number}.mp3"
        samples = _at_speed(music[number % 2], 0.75 * SPEED**number, seconds)
        (folder / name).write_bytes(encode(samples, KIND, compression_level="7"))
        rows.append((name, f"label{number % 2}", f"group{number}"))
    with (folder / "manifest.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "label", "group"), *rows])


def _at_speed(music: MultiSamples, speed: float, seconds: float) -> MultiSamples:
    """Play (n, 2) samples over and over at another speed and pitch."""
    at = np.arange(round(seconds * RATE)) * speed % (len(music) - 1)
    whole = at.astype(np.int64)
    rest = (at - whole).astype(np.float32)[:, None]
    played: MultiSamples = music[whole] * (1 - rest) + music[whole + 1] * rest
    return played


def _difference(cpu_s: Callable[[Path], float], long: Path, short: Path) -> float:
    """Give the CPU seconds that the long files take more than the short ones."""
    return cpu_s(long) - cpu_s(short)


def _prepare(folder: Path, jobs: int) -> float:
    """Prepare a folder; give the CPU seconds."""
    manifest, out = folder / "manifest.csv", folder / "prepared"
    words = ["prepare", "--manifest", str(manifest), "--out", str(out), "--jobs", str(jobs)]
    return _cpu_s([sys.executable, "-m", "training", *words])


def _decode(folder: Path) -> float:
    """Have ffmpeg decode each file of a folder and throw it away; give the CPU seconds."""
    begin = ["ffmpeg", "-v", "error", "-nostdin", "-threads", "1", "-i"]
    return sum(_cpu_s([*begin, str(file), "-f", "null", "-"]) for file in sorted(folder.glob("*.mp3")))


def _cpu_s(command: list[str]) -> float:
    """Run a command; give the CPU seconds of all its processes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
