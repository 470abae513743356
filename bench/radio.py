"""Synthetic radio stations on loopback: one process, one loop, raw sockets, so that hundreds cost little.

Each behaves as Icecast does: a burst at connect, then pieces of a tenth of a second as the
programme goes on, titles for who asks for them. Every station begins at another place of the
programme and sends at another phase. When what was sent is kept, and told on request: the clock
is the monotonic one, which is the same in all processes.

    python -m bench.radio --stations 4 --port 8000        # plays until its standard input ends
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.content import DEFAULT, KINDS, load, make
from bench.mounts import RadioServer

ROOT = Path(__file__).parents[1]
BURST_S = 1.0  # sent at once to who connects; Icecast's 64 KiB would be 4 s
PIECE_S = 0.1


class Radio:
    """A running radio, as its user sees it."""

    def __init__(self, process: subprocess.Popen[str], port: int, kinds: list[str]) -> None:
        self.process, self.kinds = process, kinds
        self._port = port

    def url(self, number: int) -> str:
        """Give the address of a station."""
        return f"http://127.0.0.1:{self._port}/s{number}"

    def sent(self) -> list[list[tuple[float, list[float], list[float]]]]:
        """Give of each station each connection: when it opened, and what `Client` keeps of it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with TemporaryDirectory() as folder:
            path = Path(folder) / "sent.json"
            print(path, file=self.process.stdin, flush=True)
            self.process.stdout.readline()
            sent: list[list[tuple[float, list[float], list[float]]]] = json.loads(path.read_text())
        return sent


@contextmanager
def radio(
    folder: Path, stations: int, kinds: tuple[str, ...] = DEFAULT, *, burst_s: float = BURST_S
) -> Iterator[Radio]:
    """Have stations play what `content.make` left in a folder, each kind in turn."""
    command = [sys.executable, "-m", "bench.radio", f"--stations={stations}", f"--burst={burst_s}"]
    process = subprocess.Popen(
        [*command, "--content", str(folder), "--kinds", *kinds],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the radio ended with {process.wait()}")
        yield Radio(process, json.loads(line)["port"], [kinds[n % len(kinds)] for n in range(stations)])
    finally:
        process.communicate()  # its standard input ends, and so does it


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.radio", description=__doc__)
    parser.add_argument("--stations", type=int, default=1, metavar="N")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--burst", type=float, default=BURST_S, metavar="S", help="of audio at connect")
    parser.add_argument("--piece", type=float, default=PIECE_S, metavar="S", help="of audio in a piece")
    parser.add_argument("--kinds", nargs="+", choices=sorted(KINDS), default=list(DEFAULT))
    parser.add_argument("--content", type=Path, metavar="FOLDER", help="default: made now")
    options = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with TemporaryDirectory() as folder:
        made = options.content or Path(folder)
        if options.content is None:
            make(made, options.kinds)
        contents = [load(made, kind) for kind in options.kinds]
    server = RadioServer(
        contents, options.stations, burst_s=options.burst, piece_s=options.piece, port=options.port
    )
    print(json.dumps({"port": server.port}), flush=True)
    server.run(sys.stdin)


if __name__ == "__main__":
    main()
