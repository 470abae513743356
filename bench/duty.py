"""What does `duty` cost in accuracy over a programme: every window judged, or one in three, one in six?

Needs a manifest and the teacher's soft labels of its clips (`training.soft_labels`), whose windows lie
side by side. Of each of five folds without a common artist a linear head on the teacher's embedding,
taught on the other four, judges the windows (it stands in for networks that would have to be trained
for each fold); the streamer's own decider makes answers of them. A track is all clips of one artist
and label, up to 90 s of them; tracks follow one another in random order. What was said last is held
against what plays, window by window, so an answer that comes late is wrong until then.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))  # `python bench/duty.py` has only bench there

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from streamer.contract import Contract
from streamer.decide.decider import Decider
from streamer.flow import Window
from streamer.model.session import Model
from training.datasets.manifest import ManifestReader
from training.soft_labels import SoftLabels, read_soft_labels

WHAT = "settled windows of music by what was said last, in percent, where one in so many is judged"
FOLDS, SEEDS = 5, (1, 2, 3)
EVERY = (1, 2, 3, 6)  # windows side by side, one in so many judged
TRACK_WINDOWS = 30
LOUD_DBFS = -20.0
SETTLED = 2  # windows of 3 s after a track's beginning, which say what was before


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.duty", description=__doc__)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--soft-labels", type=Path, required=True, metavar="FILE.npz")
    options = parser.parse_args(arguments)
    soft = read_soft_labels(options.soft_labels)
    clips = {clip.id: (clip.label, clip.group) for clip in ManifestReader(options.manifest).clips()}
    contract = Model.load(None, provider="cpu").contract
    label = np.array([contract.labels.index(clips[path][0]) for path in soft.paths])
    group = np.array([clips[path][1] for path in soft.paths])
    counts = {every: np.zeros(4) for every in EVERY}
    for seed in SEEDS:
        fold = _folds(group, seed)
        for held_out in range(FOLDS):
            answers = _judge(soft, label[soft.clip], fold[soft.clip] == held_out)
            tracks = _tracks(soft, label, group, fold == held_out, seed)
            for every in EVERY:
                counts[every] += _listen(contract, tracks, answers, label, soft, every)
    print(json.dumps({"bench": "duty", "what": WHAT, **_told(counts)}))


def _folds(group: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    names, which = np.unique(group, return_inverse=True)
    return np.random.default_rng(seed).permutation(np.arange(len(names)) % FOLDS)[which]


def _judge(soft: SoftLabels, label: NDArray[np.int64], test: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give (windows, labels) probabilities of those held out; the others' rows mean nothing."""
    head = make_pipeline(StandardScaler(), LogisticRegression(C=0.003, max_iter=1000, tol=1e-3))
    head.fit(soft.embedding[~test], label[~test])
    answers = np.full((len(label), label.max() + 1), 1e-6, np.float32)
    answers[:, head.classes_] = head.predict_proba(soft.embedding)
    return answers


def _tracks(
    soft: SoftLabels, label: NDArray[np.int64], group: NDArray[np.str_], test: NDArray[np.bool_], seed: int
) -> list[list[int]]:
    """Give the windows of each track, in the order in which they play."""
    by_artist: dict[tuple[str, int], list[int]] = {}
    for at, clip in enumerate(soft.clip):
        if test[clip]:
            by_artist.setdefault((str(group[clip]), int(label[clip])), []).append(at)
    tracks = [windows[:TRACK_WINDOWS] for windows in by_artist.values()]
    return [tracks[at] for at in np.random.default_rng(seed).permutation(len(tracks))]


def _listen(
    contract: Contract,
    tracks: list[list[int]],
    answers: NDArray[np.float32],
    label: NDArray[np.int64],
    soft: SoftLabels,
    every: int,
) -> NDArray[np.float64]:
    """Count settled windows of music: right, another genre, no genre, all."""
    front = contract.front_end
    decider = Decider(contract, every * front.window_s)
    no_frames = np.empty((0, 0), np.float32)
    counts, number, genre = np.zeros(4), 0, None
    for track in tracks:
        plays = contract.labels[label[soft.clip[track[0]]]]
        for place, at in enumerate(track):
            number += 1
            if number % every == 0:
                window = Window(no_frames, number * front.window_samples, False, LOUD_DBFS, LOUD_DBFS)
                genre = decider.push(window, answers[at])[0].genre
            if plays not in contract.not_music and place >= SETTLED:
                counts += (genre == plays, genre not in (plays, None), genre is None, 1)
    return counts


def _told(counts: dict[int, NDArray[np.float64]]) -> dict[str, object]:
    shares = {every: np.round(100 * c[:3] / c[3], 1).tolist() for every, c in counts.items()}
    return {
        "duty": [round(1 / every, 2) for every in EVERY],
        "right_percent": [shares[every][0] for every in EVERY],
        "wrong_percent": [shares[every][1] for every in EVERY],
        "unsure_percent": [shares[every][2] for every in EVERY],
        "windows": int(counts[1][3]),
    }


if __name__ == "__main__":
    main()
