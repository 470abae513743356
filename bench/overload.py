"""What happens to twice the stations that the machine holds, and when half of them have gone?

Two radios of N / 2 stations each, one daemon, a subscriber. After the time is over one radio goes;
what is left should have its full hop again soon. Memory is looked at all the time, and what the
subscriber counts as dropped is held against the daemon's own count.
"""

import argparse
import json
import sys
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/overload.py` has only bench there

from bench.books import Books, Told
from bench.content import make
from bench.daemon import Daemon, daemon, stations_toml
from bench.radio import radio

STATIONS = 1200
SECONDS = 120.0
LOOK_S = 5.0
RECOVERY_S = 40.0
HOP_S = 1.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--stations", type=int, default=STATIONS, metavar="N")
    parser.add_argument("--seconds", type=float, default=SECONDS, metavar="S")
    options = parser.parse_args(arguments)
    half = options.stations // 2
    names = [f"s{number}" for number in range(2 * half)]
    with TemporaryDirectory() as name, ExitStack() as stack, ExitStack() as going:
        folder = Path(name)
        make(folder)
        radios = stack.enter_context(radio(folder, half)), going.enter_context(radio(folder, half))
        urls = [each.url(number) for each in radios for number in range(half)]
        config = folder / "stations.toml"
        config.write_text(stations_toml(urls))
        heard = stack.enter_context(daemon("--config", str(config)))
        books = stack.enter_context(Books(heard.socket, names))
        memory_mb = _watch(heard, options.seconds)
        going.close()
        recovered_s = _recovery_s(books, names[:half])
        time.sleep(2 * LOOK_S)  # for a heartbeat
        figures = _figures(books, memory_mb, recovered_s, options)
    print(json.dumps(figures))
    return 0


def _watch(heard: Daemon, seconds: float) -> list[float]:
    """Give the MiB of the daemon's processes, every few seconds."""
    end, memory_mb = time.monotonic() + seconds, []
    while time.monotonic() < end:
        time.sleep(LOOK_S)
        memory_mb.append(round(heard.memory_mb()[0], 1))
    return memory_mb


def _recovery_s(books: Books, left: list[str]) -> float | None:
    """Wait until all stations that are left have their hop again; give how long that took."""
    began = time.monotonic()
    while time.monotonic() < began + RECOVERY_S:
        if all(_is_served(books, name, began) for name in left):
            return round(time.monotonic() - began, 1)
        time.sleep(0.1)
    return None


def _is_served(books: Books, name: str, since: float) -> bool:
    told = books.stations[name].genre
    return bool(told) and told[-1].at > since and told[-1].hop <= HOP_S and told[-1].state != "no-signal"


def _figures(
    books: Books, memory_mb: list[float], recovered_s: float | None, options: argparse.Namespace
) -> dict[str, object]:
    third = max(len(memory_mb) // 3, 1)
    return {
        "bench": "overload",
        "what": "too many stations for a while, then half of them gone",
        "stations": options.stations,
        "seconds": options.seconds,
        "hop_stretch": books.hop_stretch(0.0),
        "dropped": books.heartbeats[-1].dropped if books.heartbeats else 0,
        "dropped_at_subscriber": sum(_dropped(book.genre) for book in books.stations.values()),
        "rss_mb": memory_mb,
        "rss_mb_last_third_over_middle": round(
            sum(memory_mb[-third:]) / third - sum(memory_mb[third : 2 * third]) / third, 1
        ),
        "full_service_s": recovered_s,
    }


def _dropped(genre: list[Told]) -> int:
    """Count what docs/messages.md says that a subscriber can count."""
    steps = ((told, told.position - before.position) for before, told in pairwise(genre))
    return sum(max(round(step / told.hop) - 1, 0) for told, step in steps if told.gap and step > 0)


if __name__ == "__main__":
    sys.exit(main())
