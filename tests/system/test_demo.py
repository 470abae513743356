"""The demo as a newcomer sees it, with the embedded model."""

import re
import subprocess
import sys
import time

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]


def test_demo_shows_genres_speech_and_silence_and_ends_by_itself():
    started = time.monotonic()

    done = subprocess.run(
        [sys.executable, "-m", "streamer.cli", "demo"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    took = time.monotonic() - started
    said = re.findall(r"^\d\d:\d\d:\d\d  demo +(\S+)", done.stdout, re.M)
    assert done.returncode == 0, done.stderr
    assert {"speech", "silence"} <= set(said), done.stdout
    states = {"speech", "silence", "noise", "unsure", "no-signal", "track:", "connected", "lost", "stopped"}
    assert len(set(said) - states) >= 3, done.stdout
    assert took < 90
    assert done.stderr == ""
