"""Archives in object stores, by a store that is installed as those of others are."""

import os
import shutil
from pathlib import Path

import pytest

from tests.archive.conftest import BROKEN, ROOT, assert_each_once, rows, tables

pytestmark = pytest.mark.slow

BUCKET = """
import os
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem


class Bucket(DirFileSystem):
    protocol = "bucket"

    def __init__(self, **options):
        super().__init__(path=os.environ["BUCKET"], fs=LocalFileSystem(auto_mkdir=True), **options)

    def open(self, path, *args, **options):
        if "unreachable" in path and not self.fs.exists(f"{self.path}/back"):
            raise RuntimeError("503 Slow Down")
        return super().open(path, *args, **options)
"""


@pytest.fixture
def tag(genrecast, tiny, tmp_path):
    """Give a function that tags what is named where `bucket://` is a store; its temporary files are known."""
    site, temporary = tmp_path / "site", tmp_path / "temporary"
    entry = site / "bucket-1.dist-info"
    entry.mkdir(parents=True)
    temporary.mkdir()
    (site / "bucket.py").write_text(BUCKET)
    (entry / "METADATA").write_text("Metadata-Version: 2.1\nName: bucket\nVersion: 1\n")
    (entry / "entry_points.txt").write_text("[fsspec.specs]\nbucket = bucket:Bucket\n")
    env = {
        **os.environ,
        "PYTHONPATH": f"{site}:{ROOT}",
        "BUCKET": str(tmp_path / "bucket"),
        "TMPDIR": str(temporary),
    }

    def run(*args):
        done = genrecast("classify", "--model", tiny, *args, env=env)
        assert "Traceback" not in done.stderr
        assert not list(temporary.glob("genrecast-*"))
        return done.returncode, done.stderr

    return run


@pytest.fixture
def bucket(archive, tmp_path):
    """Give a bucket's folder that holds the archive, and an object that can't be had."""
    (archive / "b\udcffd.mp3").unlink()  # a store's names are text
    shutil.copytree(archive, tmp_path / "bucket" / "in")
    (tmp_path / "bucket" / "in" / "unreachable.mp3").write_bytes(b"12345")
    return tmp_path / "bucket"


def test_objects_are_tagged_into_a_store_and_once(tag, bucket):
    status, said = tag("bucket://in", "--out", "bucket://out/tags")
    again = tag("bucket://in", "--out", "bucket://out/tags")[1]

    out = bucket / "out" / "tags"
    assert status == 0, said
    assert "0 of 36 files are to be tagged" in again
    errors = {Path(row["path"]).name: row["code"] for row in rows(out, "errors")}
    assert errors == {**BROKEN, "unreachable.mp3": "source-connection"}
    assert any("503 Slow Down" in row["message"] for row in rows(out, "errors"))
    assert all(Path(row["path"]).name in row["message"] for row in rows(out, "errors"))
    assert all(row["path"].startswith("bucket://in/") for row in rows(out, "files"))
    assert_each_once(out, 36)


def test_objects_that_could_not_be_had_are_tagged_when_the_store_is_back(tag, bucket, song):
    tag("bucket://in", "--out", "bucket://out/tags")
    (bucket / "in" / "unreachable.mp3").write_bytes(song)
    (bucket / "back").touch()

    status, said = tag("bucket://in", "--out", "bucket://out/tags", "--again")
    tag("bucket://in", "--out", "bucket://out/fresh")

    assert status == 0, said
    assert "4 of 36 files are to be tagged" in said
    assert "of 4 that had failed 1 are tagged now" in said
    assert tables(bucket / "out" / "tags") == tables(bucket / "out" / "fresh")


def test_an_object_is_what_its_file_is(tag, bucket, archive, tmp_path):
    tag("bucket://in/album*", "--out", tmp_path / "by-url")
    tag(*sorted(archive.glob("album*")), "--out", tmp_path / "by-path")

    by_url, by_path = (
        [{**row, "path": Path(row["path"]).name} for row in rows(tmp_path / out, "segments")]
        for out in ("by-url", "by-path")
    )
    assert len(by_url) == 30 * 4
    assert by_url == by_path
    assert len(tables(tmp_path / "by-url")) == len(tables(tmp_path / "by-path"))
