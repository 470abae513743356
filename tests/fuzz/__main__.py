"""`python -m tests.fuzz`: the long run, with a line of progress; ends with 1 where it found something."""

import argparse
import math
import sys
import time
from pathlib import Path

from tests.fuzz.campaign import Job, Result, run
from tests.fuzz.mutate import make_input
from tests.fuzz.streams import STREAMS
from tests.fuzz.targets import PARSERS, TARGETS

TELL_S = 10.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--parsers", type=int, default=0, help="inputs over all parsers")
    parser.add_argument("--streams", type=int, default=0, help="mutated audio streams over all decode paths")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--findings", type=Path, default=Path("findings"), help="folder for them")
    parser.add_argument("--again", metavar="TARGET-NUMBER", help="run one input, show what it raises")
    given = parser.parse_args()
    if given.again:
        name, _, number = given.again.partition("-")
        target = TARGETS[name]
        target.run(make_input(name, target.seeds(), int(number), target.tokens))
        return 0
    jobs = [
        Job(name, given.first, given.first + math.ceil(count / len(names)))
        for names, count in ((PARSERS, given.parsers), (STREAMS, given.streams))
        for name in names
    ]
    began = told = time.monotonic()
    for result in run(jobs, given.findings):
        if time.monotonic() - told > TELL_S:
            told = time.monotonic()
            tell(result, told - began)
    tell(result, time.monotonic() - began)
    return 1 if result.findings else 0


def tell(result: Result, seconds: float) -> None:
    """Print how far it is."""
    each = ", ".join(f"{name} {count:,}" for name, count in result.inputs.items())
    print(
        f"{seconds:7.0f} s  {result.inputs.total():,} inputs ({each}); "
        f"findings {len(result.findings)}, crashes {result.crashes.total()}, peak {result.peak_mb} MB",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
