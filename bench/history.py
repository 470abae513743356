"""How long does `genrecast history` take over a year of forty stations?"""

import argparse
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/history.py` has only bench there

from streamer.history.rows import DAY_S, Heard, Open, Segment, TrackRow
from streamer.history.store import Store

STATIONS, SEGMENTS_A_DAY = 40, 300
GENRES = ("classical", "electronic", "folk", "hiphop", "jazz", "metal", "pop", "rock")
RUNS = 9
AT_ONCE = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--keep", type=Path, help="a file that is made, or used where it is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or Path(folder) / "history.sqlite"
        began = time.perf_counter()
        if not path.exists():
            _fill(path, options.days)
        made_s = time.perf_counter() - began
        asked = ("--station", "station-17")
        print(
            json.dumps(
                {
                    "bench": "history",
                    "what": "seconds of a whole `genrecast history`, from a file of so many days",
                    "days": options.days,
                    "stations": STATIONS,
                    "file_mb": round(path.stat().st_size / 1e6),
                    "made_s": round(made_s, 1),
                    "week_s": _seconds(path, *asked, "--since", "7d"),
                    "week_tracks_s": _seconds(path, *asked, "--since", "7d", "--tracks"),
                    "week_csv_s": _seconds(path, *asked, "--since", "7d", "--csv"),
                    "week_all_stations_s": _seconds(path, "--since", "7d"),
                    "help_s": _seconds(path, "--help"),
                    "runs": RUNS,
                }
            )
        )


def _seconds(path: Path, *arguments: str) -> dict[str, float]:
    """Give the median and the best of some runs, process start included."""
    command = [sys.executable, "-m", "streamer.cli", "history", "--db", str(path), *arguments]
    runs = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        runs.append(time.perf_counter() - began)
    return {"median": round(statistics.median(runs), 3), "min": round(min(runs), 3)}


def _fill(path: Path, days: int) -> None:
    end = time.time()
    store = Store.open(str(path), write=True)
    with contextlib.closing(store):
        names = [f"station-{i}" for i in range(STATIONS)]
        rows = _rows(names, end - days * DAY_S, days)
        while part := list(islice(rows, AT_ONCE)):
            store.write([s for s, _ in part], [t for _, t in part], [])
        store.write([], [], [Open("boot", Segment(n, "music", "jazz", 0.8, end - 60, end)) for n in names])


def _rows(names: list[str], begin: float, days: int) -> Iterator[tuple[Segment, Heard]]:
    """Give segments, and as many tracks, in the order in which they would have come."""
    dice = random.Random(0)
    length = DAY_S / SEGMENTS_A_DAY
    for turn in range(days * SEGMENTS_A_DAY):
        for i, name in enumerate(names):
            start = begin + turn * length + i
            genre, seq = dice.choice(GENRES), turn
            yield (
                Segment(name, "music", genre, 0.8, start, start + length),
                Heard(
                    "boot",
                    seq,
                    TrackRow(name, f"Artist {i} - Title {turn}", genre, 0.8, start, start + length, length),
                ),
            )


if __name__ == "__main__":
    main()
