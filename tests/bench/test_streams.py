"""The benchmark of many stations runs as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
KEYS = {
    "stations", "seconds", "cpu_ms_per_station_second", "decode_floor_ms", "ratio_to_decode", "lost_windows",
    "lag_p99_ms", "rss_mb", "rss_mb_per_station",
}  # fmt: skip


def test_two_stations_are_measured(tmp_path: Path) -> None:
    words = ["--stations", "2", "--seconds", "3", "--programmes", "1"]

    done = subprocess.run(
        [sys.executable, str(ROOT / "bench/streams.py"), *words],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures.keys() >= KEYS
    assert figures["stations"] == 2
    assert figures["windows"] > 0
    assert 0.0 < figures["decode_floor_ms"] < figures["cpu_ms_per_station_second"]
    assert figures["rss_mb"] > figures["pss_mb"] > 0.0
