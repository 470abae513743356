"""`genrecast classify --out` on one machine: each file once, whatever dies (docs/operations.md)."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.archive.conftest import BROKEN, assert_each_once, begun, enlarge, rows, tables

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def test_every_file_is_tagged_once_and_the_broken_ones_told(tag, archive, tmp_path):
    out = tmp_path / "out"

    status, said = tag(archive, "--out", out)

    assert status == 0
    assert "36 files" in said
    assert "3 failed" in said
    assert f"{out}/errors" in said
    assert {Path(row["path"]).name: row["code"] for row in rows(out, "errors")} == BROKEN
    for row in rows(out, "errors"):
        assert Path(row["path"]).name in row["message"]
    assert_each_once(out, 36)


def test_tables_say_what_classify_says(tag, genrecast, tiny, archive, tmp_path):
    out = tmp_path / "out"
    tag(archive, "--out", out)
    printed = genrecast("classify", "--model", tiny, "--json", "--segments", archive).stdout

    files = {row["path"]: row for row in rows(out, "files")}
    segments = {(row["path"], row["segment"]): row for row in rows(out, "segments")}

    for row in map(json.loads, printed.splitlines()):
        if "error" in row:
            continue
        written = files.pop(row["path"])
        assert [written[key] for key in ("state", "genre")] == [row["state"], row["genre"]]
        assert written["seconds"] == pytest.approx(row["seconds"], abs=1e-3)
        assert written["probabilities"] == pytest.approx(row["probabilities"], abs=1e-4)
        for number, part in enumerate(row["segments"]):
            segment = segments.pop((row["path"], number))
            assert segment["end_s"] == pytest.approx(part["to"], abs=1e-3)
            assert segment["probabilities"] == pytest.approx(part["probabilities"], abs=1e-4)
    assert not files
    assert not segments


def test_pandas_reads_a_label_as_a_column(tag, archive, tmp_path):
    pandas = pytest.importorskip("pandas")
    tag(archive, "--out", tmp_path / "out")

    frame = pandas.read_parquet(tmp_path / "out" / "files")

    jazz = pandas.json_normalize(frame[frame.state != "silence"].probabilities)["jazz"]
    assert jazz.between(0, 1).all()
    assert frame[frame.state == "silence"].probabilities.isna().all()


def test_the_same_files_give_the_same_bytes(tag, archive, tmp_path):
    for out, jobs in (("one", 1), ("three", 3)):
        assert tag(archive, "--out", tmp_path / out, "--jobs", jobs)[0] == 0

    assert tables(tmp_path / "one") == tables(tmp_path / "three")


def test_the_same_command_again_tags_what_is_new_alone(tag, archive, tmp_path, song):
    out = tmp_path / "out"
    tag(archive, "--out", out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet")}

    _, again = tag(archive, "--out", out)
    (archive / "new.mp3").write_bytes(song)
    status, said = tag(archive, "--out", out)

    assert "0 of 36 files are to be tagged" in again
    assert "1 of 37 files are to be tagged" in said
    assert status == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert_each_once(out, 37)


def test_a_file_that_has_gone_is_told(tag, archive, tmp_path):
    out = tmp_path / "out"
    tag(archive, "--out", out)
    number = next(n for n, row in enumerate(rows(out, "files")) if "song [7]" in row["path"]) // 8
    (archive / "album 0" / "song [7].mp3").unlink()
    for part in out.glob(f"*/part-{number:06}.parquet"):
        part.unlink()

    status, said = tag(archive, "--out", out)

    assert status == 0
    assert "not named this time, and are tagged too: 1" in said
    assert {Path(row["path"]).name: row["code"] for row in rows(out, "errors")} == {
        **BROKEN,
        "song [7].mp3": "source-not-found",
    }
    assert_each_once(out, 36)


def test_a_folder_that_can_not_be_written_to_is_told(tag, archive, tmp_path):
    (tmp_path / "out").touch()

    status, said = tag(archive, "--out", tmp_path / "out")

    assert status == 15
    assert str(tmp_path / "out") in said


def test_an_archive_of_broken_files_alone_is_a_failure(tag, archive, tmp_path):
    status, said = tag(archive / "text.mp3", archive / "empty.ogg", "--out", tmp_path / "out")

    assert status == 15
    assert f"{tmp_path}/out/errors" in said
    assert len(rows(tmp_path / "out", "errors")) == 2


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["nothing.mp3", "--out", "out"], 15, "nothing.mp3"),
        (["in", "--out", ""], 2, "--out"),
        (["", "--out", "out"], 2, "PATH"),
        (["in", "--out", "out", "--json"], 2, "--json"),
        (["in", "--jobs", "2"], 2, "--out"),
        (["in", "--cluster"], 2, "--out"),
        (["in", "--again"], 2, "--out"),
        (["in", "--out", "out", "--address", "x:1"], 2, "--cluster"),
        (["in", "--out", "out", "--jobs", "0"], 2, "--jobs"),
        (["in", "--out", "klingon://x"], 15, "klingon"),
    ],
)
def test_what_is_wrong_is_named(tag, archive, tmp_path, args, status, words):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    assert tag(*args, cwd=tmp_path, env=env)[0] == status
    assert words in tag(*args, cwd=tmp_path, env=env)[1]


@pytest.mark.parametrize(
    ("library", "extra"), [("fsspec", "archive"), ("pyarrow", "archive"), ("ray", "cluster")]
)
def test_a_missing_extra_is_named(tag, archive, tmp_path, library, extra):
    (tmp_path / "sitecustomize.py").write_text(f"import sys; sys.modules[{library!r}] = None")
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}

    status, said = tag(archive, "--out", tmp_path / "out", *["--cluster"] * (library == "ray"), env=env)

    assert status == 3
    assert f"genrecast[{extra}]" in said
    assert not (tmp_path / "out").exists()


@pytest.fixture
def running(tiny, archive, tmp_path, song):
    """Give a run over 300 files that has done some parts, and not all."""
    enlarge(archive, song)
    with begun(archive, tmp_path / "out", tiny, "--jobs", "2") as process:
        yield process, archive, tmp_path / "out"


def test_a_tagging_process_that_is_killed_loses_nothing(running):
    process, _, out = running
    tagging = [
        int(pid)
        for task in Path(f"/proc/{process.pid}/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]

    for pid in tagging:
        os.kill(pid, signal.SIGKILL)
    said = process.communicate(timeout=90)[1]

    assert process.returncode == 0, said
    assert "SIGKILL" in said
    assert len(rows(out, "errors")) == 3
    assert_each_once(out, 300)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_goes_on_with_the_same_command(running, tag, number):
    process, archive, out = running

    process.send_signal(number)
    said = process.communicate(timeout=30)[1]
    done = {path: path.read_bytes() for path in out.glob("files/*.parquet")}
    assert 2 <= len(done) < 38
    again = tag(archive, "--out", out)

    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert "of 300 files" in said
        assert "the same command goes on" in said
    assert again[0] == 0
    assert {path: path.read_bytes() for path in done} == done
    assert_each_once(out, 300)
    assert not list(out.rglob(".*"))
