"""What does a shorter hop cost? The network's share of each frame is computed once, whatever the hop.

The same stations at each hop in turn, twice round, so that what else the machine does meets all alike.
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/overlap.py` has only bench there

from bench.content import PROGRAMMES, make
from bench.trial import NotHeardError, Plan, run_trial

STATIONS = 40
SECONDS = 30.0
HOPS_S = (3.0, 1.0, 0.5, 0.25)
ROUNDS = 2


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    cpu_ms: dict[float, list[float]] = {hop_s: [] for hop_s in HOPS_S}
    lost = 0
    with TemporaryDirectory() as folder:
        make(Path(folder), programmes=options.programmes)
        try:
            for _ in range(ROUNDS):
                for hop_s, figures in cpu_ms.items():
                    plan = Plan(Path(folder), hop_s=hop_s)
                    trial = run_trial(plan, options.stations, options.seconds / ROUNDS)
                    figures.append(trial.cpu_ms)
                    lost += trial.lost.windows
        except NotHeardError as error:
            print(f"bench.overlap: {error}", file=sys.stderr)
            return 1
    mean = {hop_s: statistics.mean(figures) for hop_s, figures in cpu_ms.items()}
    print(
        json.dumps(
            {
                "bench": "overlap",
                "what": "CPU ms of the daemon's processes per second of a station, by hop",
                "stations": options.stations,
                "seconds": options.seconds,
                "hops_s": list(HOPS_S),
                "cpu_ms_per_station_second": [round(ms, 3) for ms in mean.values()],
                "ratio_025_to_1": round(mean[0.25] / mean[1.0], 3),
                "rounds": [[round(ms, 3) for ms in figures] for figures in cpu_ms.values()],
                "lost_windows": lost,
            }
        )
    )
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.overlap", description=__doc__)
    parser.add_argument("--stations", type=int, default=STATIONS, metavar="N")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="for each hop")
    parser.add_argument("--programmes", type=int, default=PROGRAMMES, help="of 47 s each, that are played")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
