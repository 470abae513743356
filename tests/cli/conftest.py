"""The command as a user calls it, with a tiny model."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_model import model_bytes

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the path of a tiny model file."""
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    path.write_bytes(model_bytes())
    return path


@pytest.fixture
def genrecast() -> Run:
    """Give a function that runs `genrecast` with arguments and gives what came of it."""

    def run(*args: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "streamer.cli", *map(str, args)]
        return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, **options)

    return run


@pytest.fixture
def classify(genrecast: Run, tiny: Path) -> Callable[..., tuple[list[dict[str, Any]], int]]:
    """Give a function that classifies paths and gives the objects printed, and the exit status."""

    def run(*args: object) -> tuple[list[dict[str, Any]], int]:
        done = genrecast("classify", "--model", tiny, *args)
        assert "Traceback" not in done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()], done.returncode

    return run
