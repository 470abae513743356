"""Small data sets in the layout of the published ones: an FMA tree and a GTZAN tree, all of it synthetic."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.audio_files import write
from tests.training.fixtures import LABELS, RATE, ROOT, sound, write_wav

SECONDS = 4.0
BROKEN = b"ID3\x03\x00\x00\x00\x00\x00\x00 broke off in its first frame"

# The real header: level 0, level 1 (the names of a group's columns), and `track_id` in a row of its own.
FMA_COLUMNS = {
    "album": "comments date_created date_released engineer favorites id information listens producer tags "
    "title tracks type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created favorites id "
    "latitude location longitude members name related_projects tags website wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top genres "
    "genres_all information interest language_code license listens lyricist number publisher tags title",
}
FMA_GENRES = [  # genre_id, #tracks, parent, title, top_level
    (1, 20, 0, "Rock", 1),
    (2, 10, 1, "Punk", 1),
    (3, 10, 1, "Metal", 1),
    (4, 20, 0, "Electronic", 4),
    (5, 10, 4, "House", 4),
    (6, 20, 0, "Folk", 6),
    (7, 5, 5, "Deep House", 4),
]
OFFICIAL = ("training", "training", "validation", "test")


@dataclass(frozen=True)
class Track:
    """A row of `tracks.csv`; `label` is whose kind of sound its MP3 holds, empty where there is none."""

    number: int
    genre_top: str
    genres: list[int]
    split: str
    artist: str
    sound: str = ""
    subset: str = "small"
    audio: bytes = field(default=b"", repr=False)


def fma_tracks() -> list[Track]:
    """Give 24 plain tracks (three genres of four artists of two), and one of each kind of trouble."""
    tracks = []
    for genre, (title, top, kind) in enumerate(
        [("Rock", 1, "beat"), ("Electronic", 4, "chord"), ("Folk", 6, "sweep")]
    ):
        for i in range(8):
            artist = 10 * (genre + 1) + i // 2
            tracks.append(Track(1000 * genre + 140 + i, title, [top], OFFICIAL[i // 2], f"{artist}", kind))
    return [
        *tracks,
        Track(5001, "", [2, 3], "training", "10", "beat"),  # Punk and Metal: both Rock
        Track(5002, "", [5, 7], "training", "20", "chord"),  # House and Deep House: both Electronic
        Track(5003, "Folk", [5], "training", "30", "sweep"),  # contradicts itself
        Track(5004, "Folk", [6], "training", "", "sweep"),  # by nobody
        Track(6001, "", [2, 5], "training", "60", "beat"),  # Rock and Electronic
        Track(6002, "", [], "test", "61", "beat"),
        Track(98565, "Rock", [1], "training", "62", "beat"),  # known bad
        Track(7001, "Rock", [1], "training", "10"),  # missing
        Track(7002, "Folk", [6], "training", "30", audio=BROKEN),
        Track(155066, "Rock", [1], "training", "63", "beat", subset="medium"),
    ]


def write_tracks(path: Path, tracks: list[Track]) -> None:
    """Write `tracks.csv` with the three header lines of the real one."""
    upper = [group for group, names in FMA_COLUMNS.items() for _ in names.split()]
    lower = [name for names in FMA_COLUMNS.values() for name in names.split()]
    rows = []
    for track in tracks:
        said = {
            ("artist", "id"): track.artist,
            ("artist", "bio"): 'Born in a "small" town,\nand left it.',  # fields do hold line ends
            ("set", "split"): track.split,
            ("set", "subset"): track.subset,
            ("track", "genre_top"): track.genre_top,
            ("track", "genres"): f"{track.genres}",
            ("track", "license"): "Attribution",
            ("track", "title"): f"Tune, No. {track.number}",
        }
        rows.append([f"{track.number}", *(said.get(key, "") for key in zip(upper, lower, strict=True))])
    with path.open("w", newline="", encoding="utf-8") as file:
        header = [["", *upper], ["", *lower], ["track_id", *[""] * len(upper)]]
        csv.writer(file).writerows([*header, *rows])


def tune(kind: str, seed: int) -> np.ndarray:
    """Give (n,) float32 samples of a clip."""
    return sound(kind, seed, SECONDS).astype(np.float32)


@pytest.fixture(scope="session")
def fma_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `fma_metadata` and `fma_small`, as FMA is unpacked."""
    folder = tmp_path_factory.mktemp("fma")
    (folder / "fma_metadata").mkdir()
    write_tracks(folder / "fma_metadata/tracks.csv", fma_tracks())
    with (folder / "fma_metadata/genres.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("genre_id", "#tracks", "parent", "title", "top_level"), *FMA_GENRES])
    for track in fma_tracks():
        name = f"{track.number:06}"
        path = folder / "fma_small" / name[:3] / f"{name}.mp3"
        path.parent.mkdir(parents=True, exist_ok=True)
        if track.audio:
            path.write_bytes(track.audio)
        elif track.sound and track.subset == "small":
            write(path, tune(track.sound, track.number), rate=RATE)
    return folder


GTZAN_NUMBERS = {  # in the fault-filtered lists: four of training, two of validation, two of test
    "blues": ("chord", [30, 31, 32, 33, 0, 1, 12, 13]),
    "jazz": ("sweep", [11, 12, 13, 50, 2, 3, 73, 74]),
    "metal": ("beat", [2, 3, 46, 47, 6, 7, 12, 13]),
}
GTZAN_BROKEN = ("jazz", 54)  # as published
GTZAN_FILTERED = ("metal", 4)  # in none of the lists


@pytest.fixture(scope="session")
def gtzan_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `genres`, as GTZAN is unpacked."""
    folder = tmp_path_factory.mktemp("gtzan")
    for label, (kind, numbers) in GTZAN_NUMBERS.items():
        extra = [GTZAN_FILTERED[1]] if label == GTZAN_FILTERED[0] else []
        for number in numbers + extra:
            seed = 100 * LABELS.index(kind) + number + 20_000
            write_wav(folder / "genres" / label / f"{label}.{number:05}.wav", tune(kind, seed))
    label, number = GTZAN_BROKEN
    (folder / "genres" / label / f"{label}.{number:05}.wav").write_bytes(BROKEN)
    return folder


@pytest.fixture(scope="session")
def short_recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke recipe with a quarter of its steps."""
    path = tmp_path_factory.mktemp("recipe") / "short.toml"
    text = (ROOT / "training/recipes/smoke.toml").read_text()
    path.write_text(text.replace("steps = 80", "steps = 20").replace("check_every = 40", "check_every = 20"))
    return path
