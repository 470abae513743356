"""Small archives, and what was made of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from tests.audio_files import sound, write
from tests.cli.conftest import Run, genrecast, tiny  # noqa: F401

ROOT = Path(__file__).parents[2]
BROKEN = {"empty.ogg": "empty", "short.wav": "too-short", "text.mp3": "not-audio"}


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Give the bytes of an MP3 file of twelve seconds."""
    return write(tmp_path_factory.mktemp("song") / "song.mp3", sound(12)).read_bytes()


@pytest.fixture
def archive(tmp_path: Path, song: bytes) -> Path:
    """Give a folder of 36 files, three of which can't be tagged, and one that is no media."""
    folder = tmp_path / "in"
    for number in range(30):
        path = folder / f"album {number // 10}" / f"song [{number}].mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(song)
    (folder / "truncated.mp3").write_bytes(song[: len(song) // 2 + 7])
    write(folder / "silent.wav", np.zeros(44_100 * 5, np.float32), codec="pcm_s16le")
    (folder / "b\udcffd.mp3").write_bytes(song)
    (folder / "empty.ogg").touch()
    write(folder / "short.wav", sound(0.4), codec="pcm_s16le")
    (folder / "text.mp3").write_text("no audio\n" * 100)
    (folder / "cover.jpg").write_bytes(b"no sound in it")
    return folder


@pytest.fixture
def tag(genrecast: Run, tiny: Path) -> Callable[..., tuple[int, str]]:  # noqa: F811
    """Give a function that tags what is named, and gives the exit status and what was said."""

    def run(*args: object, **options: Any) -> tuple[int, str]:
        done = genrecast("classify", "--model", tiny, *args, **options)
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr

    return run


def rows(out: Path, table: str) -> list[dict[str, Any]]:
    """Give the rows of a table, in the order of its parts."""
    found: list[dict[str, Any]] = parquet.read_table(out / table).to_pylist()
    return found


def tables(out: Path) -> dict[str, bytes]:
    """Give the bytes of all files of an archive's tables by name."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


def assert_each_once(out: Path, files: int) -> None:
    """Every file is in one of the tables, once."""
    paths = [row["path"] for table in ("files", "errors") for row in rows(out, table)]
    assert len(paths) == files
    assert len(set(paths)) == files


def enlarge(archive: Path, song: bytes) -> None:
    """Make an archive one of 300 files."""
    for number in range(264):
        (archive / f"more {number:03}.mp3").write_bytes(song)


@contextmanager
def begun(
    archive: object,
    out: object,
    model: Path,
    *words: str,
    env: dict[str, str] | None = None,
    done: Callable[[], Sized] | None = None,
) -> "Iterator[subprocess.Popen[str]]":
    """Run `classify --out` until some parts are done; at the end it is killed, where it still runs.

    `done` gives what is done of parts where that is in no folder.
    """
    command = ["classify", archive, "--out", out, "--model", model, *words]
    process = subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", *map(str, command)],
        cwd=ROOT,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while len(done() if done else list(Path(str(out)).glob("files/*.parquet"))) < 2:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
