"""Runs every benchmark and prints its JSON object, one a line."""

import subprocess
import sys
from pathlib import Path

HELPERS = {"__init__", "__main__", "daemon"}


def main() -> None:
    """Run them one after the other: two at once would measure each other."""
    for script in sorted(Path(__file__).parent.glob("*.py")):
        if script.stem not in HELPERS:
            print(f"bench/{script.name} ...", file=sys.stderr)
            subprocess.run([sys.executable, "-m", f"bench.{script.stem}"], check=True)


if __name__ == "__main__":
    main()
