"""What does a station cost, of many, and how many hold real time on this machine?

N synthetic radio stations over loopback HTTP from another process (`bench.radio`: its CPU is
shown, not counted), the real daemon, a real subscriber. The decode floor is PyAV decoding the
same bytes in the same run, in a process of its own before and after the daemon's.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/streams.py` has only bench there

from bench.content import DEFAULT, MIX, PROGRAMMES, make
from bench.floor import measure_floor
from bench.trial import NotHeardError, Plan, Trial, percentile, run_trial

STATIONS = 400
SECONDS = 60.0
ALONE_S = 15.0  # of the run with one station, for its memory
TRY_S = 20.0  # a number of stations that is tried
LARGEST_S = 285.0  # everything together, when they are looked for
LARGEST_HEARD_S = 30.0  # a number whose stations are not all heard by then does not hold
START_S = 10.0  # of daemon and stations, about
FIRST_TRY = 50
STEP = 0.05  # the largest number is told to this share


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    kinds = MIX if options.mix else DEFAULT
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        plan = Plan(Path(folder), kinds, options.hop, options.also)
        make(plan.content, kinds, programmes=options.programmes)
        played = [kinds[number % len(kinds)] for number in range(options.stations)]
        floors = measure_floor(plan.content, played)
        try:
            alone = run_trial(plan, 1, min(ALONE_S, options.seconds))
            tried: list[Trial] = []
            if options.largest:
                plan = replace(plan, heard_s=LARGEST_HEARD_S)
                trial = _largest(plan, tried, began + LARGEST_S) or alone
            else:
                trial = run_trial(plan, options.stations, options.seconds)
        except NotHeardError as error:
            print(f"bench.streams: {error}", file=sys.stderr)
            return 1
        floors += measure_floor(plan.content, played)
    figures = _figures(trial, alone, statistics.median(floors))
    if options.largest:
        figures |= {"largest": trial.stations if trial.held else 0, "tried": [_told(t) for t in tried]}
    print(json.dumps(figures | {"mix": list(kinds), "decode_floors_ms": [round(ms, 3) for ms in floors]}))
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.streams", description=__doc__)
    parser.add_argument("--stations", type=int, default=STATIONS, metavar="N")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S")
    parser.add_argument("--mix", action="store_true", help="a quarter each: " + ", ".join(MIX))
    parser.add_argument("--largest", action="store_true", help="find the largest N that holds real time")
    parser.add_argument("--hop", type=float, default=1.0, metavar="S")
    parser.add_argument("--also", default="", metavar="TOML", help="more configuration, as 'duty = 0.33'")
    parser.add_argument("--programmes", type=int, default=PROGRAMMES, help="of 47 s each, that are played")
    return parser.parse_args(arguments)


def _figures(trial: Trial, alone: Trial, floor_ms: float) -> dict[str, object]:
    others = max(trial.stations - 1, 1)
    return {
        "bench": "streams",
        "what": "CPU ms of the daemon's processes per second of a station, against decoding alone",
        "stations": trial.stations,
        "seconds": round(trial.seconds, 1),
        "hop_s": trial.hop_s,
        "cpu_ms_per_station_second": round(trial.cpu_ms, 3),
        "decode_floor_ms": round(floor_ms, 3),
        "ratio_to_decode": round(trial.cpu_ms / floor_ms, 3),
        "lost_windows": trial.lost.windows,
        "lost": asdict(trial.lost),
        "windows": len(trial.lags_ms),
        "lag_p50_ms": percentile(trial.lags_ms, 0.5),
        "lag_p99_ms": percentile(trial.lags_ms, 0.99),
        "hop_stretch": trial.hop_stretch,
        "held": trial.held,
        "rss_mb": round(trial.rss_mb, 1),
        "rss_mb_1": round(alone.rss_mb, 1),
        "rss_mb_per_station": round((trial.rss_mb - alone.rss_mb) / others, 3),
        "pss_mb": round(trial.pss_mb, 1),
        "pss_mb_1": round(alone.pss_mb, 1),
        "pss_mb_per_station": round((trial.pss_mb - alone.pss_mb) / others, 3),
        "cpu_ms_per_second_alone": round(alone.cpu_ms, 3),
        "generator_cpu": round(trial.generator_cpu, 3),
    }


def _told(trial: Trial) -> dict[str, object]:
    return {
        "stations": trial.stations,
        "held": trial.held,
        "lag_p99_ms": percentile(trial.lags_ms, 0.99),
        "lost_windows": trial.lost.windows,
        "hop_stretch": trial.hop_stretch,
    }


def _largest(plan: Plan, tried: list[Trial], deadline: float) -> Trial | None:
    """Find the largest number of stations that holds; give its trial, None where none does."""

    def holds(stations: int) -> bool | None:
        began = time.monotonic()
        if tried and began + START_S + plan.settle_s + TRY_S > deadline:
            return None
        try:
            tried.append(run_trial(plan, stations, TRY_S))
        except NotHeardError as error:  # it drowned at the start: that is an answer too
            print(f"bench.streams: {stations} stations: {error}", file=sys.stderr)
            return False
        print(f"bench.streams: {_told(tried[-1])}", file=sys.stderr)
        return tried[-1].held

    best = search(holds, FIRST_TRY, STEP)
    return next((trial for trial in tried if trial.stations == best), None)


def search(holds: Callable[[int], bool | None], first: int, step: float) -> int:
    """Give the largest number that holds, to a share `step`: doubled, then halved between.

    Args:
        holds: says whether a number does; None where there is no time left to see.
        first: number to begin with.
        step: what is left open, as a share of the number.
    """
    good, bad, number = 0, 0, first
    while number and (not bad or bad - good > max(1, step * good)):
        answer = holds(number)
        if answer is None:
            break
        good, bad = (number, bad) if answer else (good, number)
        number = (good + bad) // 2 if bad else 2 * good
    return good


if __name__ == "__main__":
    sys.exit(main())
