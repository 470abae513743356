"""`classify --out --again`: what failed and what has changed, once more, and the rest as it was."""

import os
import time
from pathlib import Path

import pytest

from streamer.archive.listing import list_media
from streamer.archive.place import Place
from streamer.archive.plan import Tags
from streamer.archive.run import Slot, Work
from streamer.archive.todo import open_plan
from streamer.errors import ArchiveError
from tests.archive.conftest import assert_each_once, begun, rows, tables
from tests.tiny_model import model_bytes

pytestmark = pytest.mark.slow


def test_what_is_tagged_again_is_as_if_it_were_tagged_at_first(tag, archive, tmp_path, song):
    out = tmp_path / "out"
    tag(archive, "--out", out)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/part-*.parquet")}
    for name in ("empty.ogg", "text.mp3"):
        (archive / name).write_bytes(song)
    (archive / "album 0" / "song [3].mp3").write_bytes(song[: len(song) // 2])

    told = tag(archive, "--out", out)[1]
    status, said = tag(archive, "--out", out, "--again")
    tag(archive, "--out", tmp_path / "fresh")

    assert "0 of 36 files are to be tagged" in told
    assert "which --again tags anew: 3" in told
    assert status == 0
    assert "4 of 36 files are to be tagged" in said
    assert "again: 3 that failed, 3 that have changed since" in said
    assert "4 files" in said
    assert "of 3 that had failed 2 are tagged now" in said
    assert tables(out) == tables(tmp_path / "fresh")
    assert any(path.stat().st_mtime_ns == at for path, at in before.items())  # parts without any
    assert "1 of 36 files are to be tagged" in tag(archive, "--out", out, "--again")[1]


def test_a_run_again_that_is_killed_goes_on_with_any_command(tiny, tag, tmp_path, song):
    archive, out = tmp_path / "in", tmp_path / "out"
    archive.mkdir()
    for number in range(240):
        (archive / f"{number:03}.mp3").write_text("no audio\n" * 100)
    tag(archive, "--out", out)
    for path in archive.iterdir():
        path.write_bytes(song)

    with begun(archive, out, tiny, "--again", "--jobs", "2") as process:
        deadline = time.monotonic() + 60
        while len(rows(out, "files")) < 16:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    left = len(list((out / "again").iterdir()))
    status, said = tag(archive, "--out", out)

    assert 0 < left <= (240 - 16) / 8 + 2  # two may be written and not yet taken off
    assert status == 0
    assert f"{left * 8} of 240 files are to be tagged" in said
    assert_each_once(out, 240)
    assert not rows(out, "errors")
    assert not (out / "again").exists()


class KilledError(Exception):
    """Where a kill would have been."""


class Killed(Place):
    """A place whose user is killed before the writing numbered `at`."""

    def __init__(self, out: str, at: int) -> None:
        super().__init__(out)
        self.left = at

    def write(self, name, data):
        self._count()
        super().write(name, data)

    def remove(self, name):
        self._count()
        super().remove(name)

    def _count(self):
        if self.left == 0:
            raise KilledError
        self.left -= 1


@pytest.fixture
def work(archive, tmp_path):
    model = model_bytes()
    return Work(str(tmp_path / "out"), model, "tiny.onnx", Tags("tiny", "0" * 64, 1, labels_of(model)))


def labels_of(model):
    from streamer.model.session import Model

    return Model(model, name="tiny.onnx", provider="cpu").contract.labels


@pytest.fixture
def slot(work):
    slot = Slot(work)
    yield slot
    slot.close()


def run(slot, work, patterns, *, again=False):
    """Tag in this process; give the plan."""
    plan = open_plan(slot._place, list_media(patterns), work.tags, again=again)
    for part in plan.todo:
        slot.run(part)
    return plan


def test_a_kill_between_any_two_writes_loses_nothing_and_doubles_nothing(slot, work, archive, song):
    broken, patterns = archive / "text.mp3", [str(archive / "*.*")]
    run(slot, work, patterns)
    before, out = tables(Path(work.out)), Path(work.out)
    broken.write_bytes(song)
    run(slot, work, patterns, again=True)
    expected = tables(out)
    assert expected != before

    for at in range(6):  # what is to be done, the plan, three tables, and that it is done
        broken.write_text("no audio\n" * 200)
        run(slot, work, patterns, again=True)
        broken.write_bytes(song)
        os.utime(broken, ns=(at, 1))
        place, slot._place = slot._place, Killed(work.out, at)
        with pytest.raises(KilledError):
            run(slot, work, patterns, again=True)
        slot._place = place
        run(slot, work, patterns, again=at == 0)  # before anything is written nobody knows of it

        after = tables(out)
        plans = {name for name in after if name.startswith("plan")}
        assert {name: after[name] for name in after.keys() - plans} == {
            name: expected[name] for name in expected.keys() - plans
        }, at


def test_two_names_with_one_text_keep_their_own_rows(slot, work, tmp_path, song):
    folder = tmp_path / "names"
    folder.mkdir()
    for name, data in (("a\udcff.mp3", song), ("a\\xff.mp3", song[: len(song) // 2]), ("b.mp3", b"")):
        (folder / name).write_bytes(data)
    run(slot, work, [str(folder)])
    (folder / "b.mp3").write_bytes(song)

    before = rows(Path(work.out), "files")
    run(slot, work, [str(folder)], again=True)

    assert [row["seconds"] for row in rows(Path(work.out), "files")[:2]] == [row["seconds"] for row in before]
    assert len(rows(Path(work.out), "files")) == 3


def test_a_damaged_table_is_told_with_what_helps(slot, work, archive):
    patterns = [str(archive / "*.*")]
    run(slot, work, patterns)
    (table,) = (path for path in Path(work.out).glob("errors/*") if "empty" in str(rows_of(path)))
    table.write_bytes(b"PAR1 and no more")

    with pytest.raises(ArchiveError) as told:
        run(slot, work, patterns, again=True)
    Path(work.out, "files", table.name).unlink()
    run(slot, work, patterns, again=True)

    assert f"errors/{table.name}" in told.value.message
    assert f"files/{table.name}" in told.value.remedy
    assert len(rows(Path(work.out), "errors")) == 4  # the cover too


def rows_of(path):
    from pyarrow import parquet

    return parquet.read_table(path).to_pylist()
