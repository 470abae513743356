"""What readers give of a set, what they leave out and why; files are not decoded here."""

import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.training.trees import GTZAN_NUMBERS, fma_tracks, write_tracks
from training.datasets.base import Clip, LeftOut, Reader
from training.datasets.fma import UNKNOWN_ARTIST, FmaReader
from training.datasets.folders import FoldersReader
from training.datasets.gtzan import GtzanReader
from training.errors import DataError

pytestmark = pytest.mark.training

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")


def read(reader: Reader) -> tuple[dict[str, Clip], dict[str, LeftOut]]:
    items = list(reader.clips())
    clips = {item.id: item for item in items if isinstance(item, Clip)}
    left_out = {item.id: item for item in items if isinstance(item, LeftOut)}
    assert len(clips) + len(left_out) == len(items)
    return clips, left_out


def test_fma_reduces_genres_to_their_one_parent(fma_tree: Path) -> None:
    reader = FmaReader(fma_tree)

    clips, left_out = read(reader)

    assert clips["005/005001.mp3"].label == "Rock"  # Punk, Metal
    assert clips["005/005002.mp3"].label == "Electronic"  # House, Deep House
    assert clips["005/005003.mp3"].label == "Folk"  # genre_top, whatever its genres say
    assert {item.id: item.reason for item in left_out.values()} == {
        "006/006001.mp3": "several-genres",
        "006/006002.mp3": "no-genre",
        "098/098565.mp3": "known-bad",
    }
    assert "Electronic, Rock" in left_out["006/006001.mp3"].detail
    assert [note.split()[0] for note in reader.notes] == ["2", "1", "1"]  # by parent, contradicting, nameless


def test_fma_gives_artists_licences_and_the_official_split(fma_tree: Path) -> None:
    clips, _ = read(FmaReader(fma_tree))

    clip = clips["000/000140.mp3"]
    assert clip == Clip(
        id="000/000140.mp3",
        path=fma_tree / "fma_small/000/000140.mp3",
        label="Rock",
        group="fma-artist-10",
        licence="Attribution",
        split="training",
    )
    assert clips["005/005004.mp3"].group == UNKNOWN_ARTIST
    splits = Counter(clip.split for clip in clips.values())
    assert splits == {"training": 12 + 6, "validation": 6, "test": 6}


def test_fma_subsets_are_cumulative(fma_tree: Path, tmp_path: Path) -> None:
    (tmp_path / "fma_medium").mkdir()
    (tmp_path / "fma_full").mkdir()
    (tmp_path / "fma_metadata").symlink_to(fma_tree / "fma_metadata")

    small, _ = read(FmaReader(fma_tree))
    medium, _ = read(FmaReader(tmp_path, subset="medium"))
    full, _ = read(FmaReader(tmp_path, subset="full"))

    assert set(medium) - set(small) == {"155/155066.mp3"}
    assert set(full) - set(medium) == {"098/098565.mp3"}  # only its cut of 30 s is bad


def test_fma_without_its_parts_is_refused_by_name(fma_tree: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fma_large: no such folder"):
        read(FmaReader(fma_tree, subset="large"))

    shutil.copytree(fma_tree / "fma_metadata", tmp_path / "fma_metadata")
    (tmp_path / "fma_small").mkdir()
    text = (tmp_path / "fma_metadata/tracks.csv").read_text()
    (tmp_path / "fma_metadata/tracks.csv").write_text(text.replace("genre_top", "top_genre"))
    with pytest.raises(DataError, match=r"column track\.genre_top is missing"):
        read(FmaReader(tmp_path))


def test_fma_track_of_an_unknown_genre_is_refused(fma_tree: Path, tmp_path: Path) -> None:
    shutil.copytree(fma_tree / "fma_metadata", tmp_path / "fma_metadata")
    (tmp_path / "fma_small").mkdir()
    odd = [track for track in fma_tracks() if track.number == 5001]
    odd[0].genres.append(99)
    write_tracks(tmp_path / "fma_metadata/tracks.csv", odd)

    with pytest.raises(DataError, match="genre 99 of track 5001"):
        read(FmaReader(tmp_path))


def test_gtzan_gives_the_fault_filtered_split(gtzan_tree: Path) -> None:
    pytest.importorskip("torchaudio")
    reader = GtzanReader(gtzan_tree)

    clips, left_out = read(reader)

    assert not left_out
    assert len(clips) == 3 * 8 + 2
    for label, (_, numbers) in GTZAN_NUMBERS.items():
        parts = [clips[f"{label}/{label}.{number:05}.wav"].split for number in numbers]
        assert parts == ["training"] * 4 + ["validation"] * 2 + ["test"] * 2
    assert clips["metal/metal.00004.wav"].split == ""
    assert "1 clips are fault-filtered: the official split leaves them out" in reader.notes
    assert any("905 of the 930" in note for note in reader.notes)


def test_gtzan_groups_are_blocks_of_ten_cut_where_the_official_split_cuts(gtzan_tree: Path) -> None:
    pytest.importorskip("torchaudio")
    clips, _ = read(GtzanReader(gtzan_tree))
    plain, _ = read(GtzanReader(gtzan_tree, official=False))

    group = {name: clip.group for name, clip in clips.items()}
    assert group["metal/metal.00002.wav"] == group["metal/metal.00004.wav"] == "gtzan-metal-0-training"
    assert group["metal/metal.00006.wav"] == "gtzan-metal-0-validation"
    assert {plain[f"metal/metal.0000{i}.wav"].group for i in (2, 4, 6)} == {"gtzan-metal-0"}
    parts: dict[str, set[str]] = {}
    for clip in clips.values():
        parts.setdefault(clip.group, set()).update({clip.split} - {""})
    assert max(map(len, parts.values())) == 1


def test_all_of_the_published_split_is_given_and_shares_no_group(tmp_path: Path) -> None:
    pytest.importorskip("torchaudio")
    for label in GENRES:
        (tmp_path / "genres_original" / label).mkdir(parents=True)
        for number in range(100):
            (tmp_path / "genres_original" / label / f"{label}.{number:05}.au").touch()

    clips, _ = read(GtzanReader(tmp_path))

    splits = Counter(clip.split for clip in clips.values())
    assert splits == {"training": 443, "validation": 197, "test": 290, "": 70}
    pairs = {(clip.group, clip.split) for clip in clips.values() if clip.split}
    assert len(pairs) == len({group for group, _ in pairs})


def test_gtzan_without_torchaudio_says_what_to_do(gtzan_tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchaudio", None)  # as where it is not installed
    monkeypatch.setitem(sys.modules, "torchaudio.datasets", None)

    with pytest.raises(DataError, match="torchaudio") as caught:
        read(GtzanReader(gtzan_tree))

    assert "--no-official" in caught.value.remedy
    clips, _ = read(GtzanReader(gtzan_tree, official=False))
    assert {clip.split for clip in clips.values()} == {""}


def test_folder_inside_a_label_is_an_artist(tmp_path: Path) -> None:
    for name in (
        "rock/Ann/a.mp3",
        "rock/Ann/live/b.wav",
        "pop/Ann/c.FLAC",
        "pop/d.ogg",
        "pop/cover.jpg",
        "pop/.x.mp3",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    reader = FoldersReader(tmp_path)

    clips, left_out = read(reader)

    assert not left_out
    assert {name: (clip.label, clip.group) for name, clip in clips.items()} == {
        "rock/Ann/a.mp3": ("rock", "Ann"),
        "rock/Ann/live/b.wav": ("rock", "Ann"),
        "pop/Ann/c.FLAC": ("pop", "Ann"),
        "pop/d.ogg": ("pop", "pop/d.ogg"),
    }
    assert "artists of 1 clips are unknown" in reader.notes[0]
    assert "1 files are no audio by their names: 1 .jpg" in reader.notes[1]


@pytest.mark.parametrize("reader", [FoldersReader, FmaReader, GtzanReader])
def test_folder_without_the_set_is_refused(reader: type[Reader], tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "gone"):
        with pytest.raises(DataError):
            read(reader(where))
