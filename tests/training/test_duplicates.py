"""One recording in two files is found whatever was done to it, and then is on one side of every split."""

from pathlib import Path

import av
import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from streamer.flow import Frames
from streamer.signal.conform import Conform
from streamer.signal.mel import MelStream
from tests.audio_files import write
from tests.training.fixtures import RATE
from training.audio import clip_frames
from training.duplicates import Pair, find_duplicates, merge_groups
from training.recipe import read_recipe
from training.store import Entry

pytestmark = pytest.mark.training

FRONT_END = read_recipe("smoke").front_end
SECONDS = 12.0
CUT_S = 1.31  # 52.4 frames


def tune(seed: int) -> np.ndarray:
    """Give (n,) float32: random notes with overtones over random drums."""
    random = np.random.default_rng(seed)
    t = np.arange(round(SECONDS * RATE)) / RATE
    x = np.zeros(len(t))
    for start in np.arange(0, SECONDS, random.uniform(0.2, 0.4)):
        since = t - start
        sounds = (since >= 0) & (since < 1)
        note = 110 * 2 ** (random.integers(0, 25) / 12)
        tone = sum(np.sin(2 * np.pi * note * k * since[sounds]) / k for k in range(1, 9))
        drum = random.standard_normal(sounds.sum()) * np.exp(-since[sounds] * random.uniform(10, 60))
        x[sounds] += np.exp(-3 * since[sounds]) * tone + random.uniform(0, 1) * drum
    return (0.5 * x / np.abs(x).max()).astype(np.float32)


def frames_of(samples: np.ndarray) -> Frames:
    conform, mel = Conform(FRONT_END.sample_rate), MelStream(FRONT_END)
    return np.concatenate([mel.push(conform.push(samples[:, None], RATE))[0], mel.push(conform.flush())[0]])


def arrived(samples: np.ndarray, path: Path) -> Frames:
    """Give the frames of what is left of a sound: cut, 9 dB quieter, MP3 at 64 kb/s."""
    quieter = samples[round(CUT_S * RATE) :] * np.float32(10 ** (-9 / 20))
    write(path, soxr.resample(quieter, RATE, 44_100), bit_rate=64_000)
    return clip_frames(path, FRONT_END)[0]


def pairs_of(sounds: dict[str, Frames]) -> list[Pair]:
    entries = [entry(name, name) for name in sounds]
    return find_duplicates(entries, lambda clip: sounds[clip.id], FRONT_END.frame_s)


def entry(name: str, group: str, label: str = "") -> Entry:
    return Entry(id=name, label=label or name, group=group, licence="", file="", frames=120)


def test_tune_is_found_again_cut_quieter_and_as_mp3_and_others_are_not(tmp_path: Path) -> None:
    tunes = {f"tune{seed}": tune(seed) for seed in range(6)}
    sounds = {name: frames_of(samples) for name, samples in tunes.items()}
    sounds["tune3-again"] = arrived(tunes["tune3"], tmp_path / "a.mp3")

    pairs = pairs_of(sounds)

    assert [(pair.a, pair.b, pair.kind) for pair in pairs] == [("tune3", "tune3-again", "near")]
    assert pairs[0].offset_s == pytest.approx(CUT_S, abs=0.06)  # an encoder adds some of its own
    assert pairs[0].contradicts
    assert with_bit_rate(tmp_path / "a.mp3") == 64_000


def with_bit_rate(path: Path) -> int:
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.bit_rate


def test_recordings_of_noise_and_of_silence_are_not_alike() -> None:
    random = np.random.default_rng(1)
    n = round(SECONDS * RATE)
    sounds = {f"noise{i}": frames_of(0.1 * random.standard_normal(n).astype(np.float32)) for i in range(4)}
    sounds["silence"] = frames_of(np.zeros(n, np.float32))
    sounds["shorter"] = frames_of(np.zeros(n // 2, np.float32))

    assert pairs_of(sounds) == []


def test_copy_is_exact() -> None:
    sound = frames_of(tune(1))

    pairs = pairs_of({"one": sound, "other": frames_of(tune(2)), "copy": sound.copy()})

    assert [(pair.a, pair.b, pair.kind, pair.similarity) for pair in pairs] == [("one", "copy", "exact", 1.0)]


def test_clip_too_short_to_compare_is_passed_over() -> None:
    sound = frames_of(tune(1))

    assert pairs_of({"one": sound, "short": sound[:20], "shorter": sound[:2]}) == []


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_duplicates_end_in_one_group_and_nothing_else_moves(links: list[tuple[int, int]]) -> None:
    clips = [entry(f"c{i}", f"g{i // 2}") for i in range(10)]
    pairs = [
        Pair(a=f"c{a}", b=f"c{b}", kind="near", offset_s=0.0, similarity=0.9, labels=("", ""))
        for a, b in links
    ]

    merged, told = merge_groups(clips, pairs)

    group = {clip.id: clip.group for clip in merged}
    assert all(group[pair.a] == group[pair.b] for pair in pairs)
    assert all(group[f"c{i}"] == group[f"c{i + 1}"] for i in range(0, 10, 2))
    touched = {clip for a, b in links if a // 2 != b // 2 for clip in (a // 2, b // 2)}
    assert {name for names in told for name in names} == {f"g{i}" for i in touched}
    assert all(group[f"c{2 * i}"] == f"g{i}" for i in set(range(5)) - touched)
