"""From patterns to files."""

import os

import pytest

from streamer.archive.listing import list_media
from streamer.errors import ArchiveError


@pytest.fixture
def folder(tmp_path):
    for name in ("b/two.mp3", "b/one.flac", "b/c/deep.ogg", "a.mp3", "song [live].mp3", "cover.jpg"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return tmp_path


def listed(folder, *patterns):
    media = list_media([str(folder / pattern) for pattern in patterns])
    return [os.path.relpath(os.fsdecode(each.path), folder) for each in media]


def test_a_folder_means_all_media_in_it_and_below(folder):
    assert listed(folder, ".") == ["a.mp3", "b/c/deep.ogg", "b/one.flac", "b/two.mp3", "song [live].mp3"]


def test_what_is_named_is_taken_whatever_its_ending(folder):
    assert listed(folder, "cover.jpg") == ["cover.jpg"]


def test_a_glob_is_what_a_shell_makes_of_it(folder):
    assert listed(folder, "b/*.mp3", "[a]*") == ["a.mp3", "b/two.mp3"]
    assert listed(folder, "**/*.ogg") == ["b/c/deep.ogg"]
    assert listed(folder, "?") == ["b/c/deep.ogg", "b/one.flac", "b/two.mp3"]  # a folder


def test_a_name_that_looks_like_a_glob_is_a_name(folder):
    assert listed(folder, "song [live].mp3") == ["song [live].mp3"]


def test_a_folder_above_that_looks_like_a_glob_is_a_folder(folder, monkeypatch):
    (folder / "[x]").mkdir()
    (folder / "[x]" / "in.mp3").touch()
    monkeypatch.chdir(folder / "[x]")

    (media,) = list_media(["*.mp3"])

    assert media.path == os.fsencode(folder / "[x]" / "in.mp3")


def test_a_file_that_is_named_twice_is_there_once(folder):
    assert listed(folder, "b", "b/two.mp3", "b/../b") == ["b/c/deep.ogg", "b/one.flac", "b/two.mp3"]


def test_paths_are_absolute_and_sizes_known(folder, monkeypatch):
    monkeypatch.chdir(folder)

    (media,) = list_media(["a.mp3"])

    modified = (folder / "a.mp3").stat().st_mtime_ns
    assert media == (os.fsencode(folder / "a.mp3"), 5, str(modified))
    assert list_media([f"file://{folder}/a.mp3"]) == [media]


def test_a_name_may_be_any_bytes(folder):
    (folder / "b\udcffd.mp3").touch()

    assert os.fsencode(folder) + b"/b\xffd.mp3" in {each.path for each in list_media([str(folder)])}


@pytest.mark.parametrize("pattern", ["nothing.mp3", "empty", "*.aiff", "x" * 300])
def test_a_pattern_that_names_nothing_is_told(folder, pattern):
    (folder / "empty").mkdir()

    with pytest.raises(ArchiveError) as told:
        list_media([str(folder), str(folder / pattern)])

    assert pattern in told.value.message


def test_a_store_is_listed_likewise(store):
    for name in ("b/two.mp3", "b/one.flac", "b/cover.jpg", "a.mp3"):
        store.pipe_file(f"/listing/{name}", b"123")

    def urls(*patterns):
        return [os.fsdecode(each.path) for each in list_media(f"memory://listing/{p}" for p in patterns)]

    assert urls("b") == ["memory:///listing/b/one.flac", "memory:///listing/b/two.mp3"]
    assert urls("**/*.mp3") == ["memory:///listing/a.mp3", "memory:///listing/b/two.mp3"]
    assert urls("b/cover.jpg", "a.mp3") == ["memory:///listing/a.mp3", "memory:///listing/b/cover.jpg"]
    assert [each.size for each in list_media(["memory://listing/b"])] == [3, 3]
    with pytest.raises(ArchiveError, match="nothing"):
        urls("nothing")


@pytest.mark.parametrize("url", ["klingon://x/y.mp3", "s4://bucket"])
def test_an_unknown_store_is_told(url):
    with pytest.raises(ArchiveError) as told:
        list_media([url])

    assert url in told.value.message


@pytest.fixture
def store():
    from fsspec.implementations.memory import MemoryFileSystem

    store = MemoryFileSystem()
    yield store
    store.rm("/", recursive=True)
