"""Runs every benchmark, prints its JSON object, one a line, and a table of them all.

The table goes to standard error; with `--readme` it goes into README.md, between its markers.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from bench.table import table, write

ROOT = Path(__file__).parents[1]
RUNS = (  # each by itself: two at once would measure each other
    ("streams",),
    ("streams", "--largest"),
    ("window",),
    ("overlap",),
    ("latency",),
    ("overload",),
    ("prepare",),
    ("archive",),
    ("start",),
    ("history",),
    ("page",),
    ("gateway",),
    ("cluster",),
    ("training",),
    ("teacher",),
)
TEACHER = "GENRECAST_TEACHER"  # the file that bench.teacher measures; it is not part of the product


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args(arguments)
    said, failed = [], []
    for name, *words in RUNS:
        if name == "teacher" and not os.environ.get(TEACHER):
            print(f"bench/{name}.py left out: {TEACHER} names no teacher's ONNX file", file=sys.stderr)
            continue
        print(f"bench/{name}.py {' '.join(words)}...", file=sys.stderr)
        command = [sys.executable, "-m", f"bench.{name}", *words]
        done = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            failed.append(" ".join((name, *words)))
            continue
        line = done.stdout.splitlines()[-1]
        print(line, flush=True)
        said.append(json.loads(line))
    text = table(said)
    if options.readme:
        write(ROOT / "README.md", text)
    else:
        print(text, file=sys.stderr)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
