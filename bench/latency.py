"""How long from a window's last sample to the message of it?

From the moment at which the radio sent the bytes of the frame (or page) that holds a window's
last sample, to the message's receipt by a subscriber. The radio sends what Icecast does, pieces of a
tenth of a second, so most windows end inside a piece that was sent as a whole. Messages of a
connection's first seconds are left out: its burst comes at once, and is worked off.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/latency.py` has only bench there

from bench.content import PROGRAMMES, make
from bench.trial import EARLY_S, NotHeardError, Plan, percentile, run_trial

STATIONS = 400
SECONDS = 60.0
FEWER = (1, 50)


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    found = []
    with TemporaryDirectory() as folder:
        make(Path(folder), programmes=options.programmes)
        plan = Plan(Path(folder), settle_s=EARLY_S)
        try:
            for stations in sorted({*(n for n in FEWER if n < options.stations), options.stations}):
                trial = run_trial(plan, stations, options.seconds, latencies=True)
                found.append(
                    {
                        "stations": stations,
                        "p50_ms": percentile(trial.latencies_ms, 0.5),
                        "p99_ms": percentile(trial.latencies_ms, 0.99),
                        "windows": len(trial.latencies_ms),
                        "lost_windows": trial.lost.windows,
                    }
                )
        except NotHeardError as error:
            print(f"bench.latency: {error}", file=sys.stderr)
            return 1
    what = "ms from sending a window's last sample to the receipt of its message, 1 s hop"
    print(json.dumps({"bench": "latency", "what": what, **found[-1], "by_stations": found}))
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--stations", type=int, default=STATIONS, metavar="N", help="the most; fewer too")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S", help="for each number of them")
    parser.add_argument("--programmes", type=int, default=PROGRAMMES, help="of 47 s each, that are played")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
