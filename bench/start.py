"""How soon after its start does the daemon say something of a file?"""

import json
import statistics
import sys
import tempfile
import time
import wave
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/start.py` has only bench there

from bench.daemon import daemon

RUNS = 7


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "minute.wav"
        _write(path)
        seconds = [_first_message_s(path) for _ in range(RUNS + 1)][1:]  # the first warms the file cache
    print(
        json.dumps(
            {
                "bench": "start",
                "what": "seconds from process start to the first genre message at a subscriber, file source",
                "median": round(statistics.median(seconds), 3),
                "min": round(min(seconds), 3),
                "max": round(max(seconds), 3),
                "runs": RUNS,
            }
        )
    )


def _first_message_s(path: Path) -> float:
    with daemon("--source", str(path), "--station", "bench") as running:
        running.message("genre")
        return time.perf_counter() - running.started


def _write(path: Path) -> None:
    noise = np.random.default_rng(0).normal(0.0, 3000.0, 60 * 44_100).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(noise.tobytes())


if __name__ == "__main__":
    main()
