"""Runs every benchmark and prints its JSON object, one a line."""

import os
import subprocess
import sys
from pathlib import Path

HELPERS = {"__init__", "__main__", "daemon", "musicnn"}
TEACHER = "GENRECAST_TEACHER"  # the file that bench.teacher measures; it is not part of the product


def main() -> None:
    """Run them one after the other: two at once would measure each other."""
    for script in sorted(Path(__file__).parent.glob("*.py")):
        if script.stem == "teacher" and not os.environ.get(TEACHER):
            print(f"bench/{script.name} left out: {TEACHER} names no teacher's ONNX file", file=sys.stderr)
        elif script.stem not in HELPERS:
            print(f"bench/{script.name} ...", file=sys.stderr)
            subprocess.run([sys.executable, "-m", f"bench.{script.stem}"], check=True)


if __name__ == "__main__":
    main()
