"""Finds clips that hold the same recording, from their prepared frames alone, and merges their groups.

A clip's fingerprint is a word for each frame: the signs of differences in energy between neighbouring
bands and over time (after Haitsma and Kalker 2002). They don't change with level and hardly with an
encoder. Equal words of two clips vote for how far one lies behind the other; what gets votes is then
compared bit by bit.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.flow import Frames
from training.store import Entry

BITS = 24  # of a word: few enough that some words outlive an encoder, enough that chance makes few equal
SMOOTH_S = 0.4  # long beside a frame, so that half a frame more or less changes little
LAG_S = 0.2
QUERY_EVERY = 2  # every such frame of a clip asks; every frame of the others answers
COMMON = 1000  # a word that is in so many places says nothing
VOTES = 2
BIN = 4  # frames of offset that vote together
OVERLAP_S = 1.0  # least that is compared
SIMILARITY = 0.75  # re-encoded music had 0.87 and more, different music 0.68 at its most similar place
STILL = 1e-3  # digital silence has no differences, and would be like any other
CHUNK = 200  # clips that ask at once


@dataclass(frozen=True, slots=True)
class Print:
    """A fingerprint: (n,) words of BITS bits, and where they mean something; n may be 0."""

    words: NDArray[np.uint32]
    valid: NDArray[np.bool_]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two clips that hold the same recording.

    Attributes:
        a, b: ids of clips.
        kind: `exact`: the same frames to the last bit; `near`: alike.
        offset_s: second of `a` at which `b` begins; negative where `b` begins earlier.
        similarity: share of the fingerprint's bits that are equal where they overlap.
        labels: of `a` and `b`; two different ones contradict each other.
    """

    a: str
    b: str
    kind: Literal["exact", "near"]
    offset_s: float
    similarity: float
    labels: tuple[str, str]

    @property
    def contradicts(self) -> bool:
        """True where one recording has two labels."""
        return self.labels[0] != self.labels[1]


def find_duplicates(clips: Sequence[Entry], frames: Callable[[Entry], Frames], frame_s: float) -> list[Pair]:
    """Give all pairs of clips that hold the same recording, in the order of the clips.

    Args:
        clips: of one set.
        frames: gives the (k, n_mels) log-mel frames of a clip.
        frame_s: seconds from frame to frame.
    """
    prints: list[Print] = []
    same: dict[bytes, int] = {}
    best: dict[tuple[int, int], tuple[float, int]] = {}  # pair -> (similarity, offset)
    exact: set[tuple[int, int]] = set()
    for at, clip in enumerate(clips):
        of_clip = frames(clip)
        prints.append(fingerprint(of_clip, frame_s))
        first = same.setdefault(hashlib.sha256(of_clip.tobytes()).digest(), at)
        if first != at:
            exact.add((first, at))
            best[first, at] = (1.0, 0)
    least = round(OVERLAP_S / frame_s)
    for a, b, offset in _candidates(prints):
        found = _compare(prints[a], prints[b], offset, least)
        if (a, b) not in exact and found[0] >= SIMILARITY:
            best[a, b] = max(found, best.get((a, b), found))
    return [
        Pair(
            a=clips[a].id,
            b=clips[b].id,
            kind="exact" if (a, b) in exact else "near",
            offset_s=round(offset * frame_s, 3),
            similarity=round(similarity, 3),
            labels=(clips[a].label, clips[b].label),
        )
        for (a, b), (similarity, offset) in sorted(best.items())
    ]


def merge_groups(clips: Sequence[Entry], pairs: Sequence[Pair]) -> tuple[list[Entry], list[list[str]]]:
    """Give the clips with the groups of duplicates made one, and which groups those were.

    A merged group has the name of its first one, in alphabetical order.
    """
    parent = {clip.group: clip.group for clip in clips}
    group_of = {clip.id: clip.group for clip in clips}

    def root(group: str) -> str:
        while parent[group] != group:
            parent[group] = parent[parent[group]]
            group = parent[group]
        return group

    for pair in pairs:
        first, second = sorted((root(group_of[pair.a]), root(group_of[pair.b])))
        parent[second] = first
    merged: dict[str, list[str]] = {}
    for group in sorted(parent):
        merged.setdefault(root(group), []).append(group)
    entries = [msgspec.structs.replace(clip, group=root(clip.group)) for clip in clips]
    return entries, [groups for groups in merged.values() if len(groups) > 1]


def fingerprint(frames: Frames, frame_s: float) -> Print:
    """Give the words of a clip.

    Args:
        frames: (k, n_mels) log-mel frames, n_mels > BITS.
        frame_s: seconds from frame to frame.
    """
    smooth, lag = round(SMOOTH_S / frame_s), round(LAG_S / frame_s)
    n_mels = frames.shape[1]
    bands = np.eye(BITS + 1, dtype=np.float32)[np.arange(n_mels) * (BITS + 1) // n_mels]
    sums = (frames @ (bands / bands.sum(axis=0))).cumsum(axis=0, dtype=np.float64)
    means = (sums[smooth:] - sums[:-smooth]) / smooth
    rises = np.diff(means[lag:] - means[:-lag], axis=1)
    words = ((rises > 0) @ (1 << np.arange(BITS))).astype(np.uint32)
    return Print(words, np.abs(rises).max(axis=1, initial=0.0) > STILL)


def _candidates(prints: Sequence[Print]) -> Iterator[tuple[int, int, int]]:
    """Give (clip, later clip, offset in frames) wherever equal words agree about the offset."""
    if not prints:
        return
    kept = [np.flatnonzero(clip.valid) for clip in prints]
    words = np.concatenate([clip.words[at] for clip, at in zip(prints, kept, strict=True)])
    owner = np.repeat(np.arange(len(prints)), [len(at) for at in kept])
    place = np.concatenate(kept)
    span = int(place.max(initial=0)) // BIN + 2  # offsets in bins are in -span..span
    order = np.argsort(words, kind="stable")
    ordered = words[order]
    for first in range(0, len(prints), CHUNK):
        begin, end = np.searchsorted(owner, (first, first + CHUNK))
        asks = begin + np.flatnonzero(place[begin:end] % QUERY_EVERY == 0)
        low, high = (np.searchsorted(ordered, words[asks], side) for side in ("left", "right"))
        counts = np.where(high - low > COMMON, 0, high - low)
        ask = np.repeat(asks, counts)
        within = np.arange(len(ask)) - np.repeat(counts.cumsum() - counts, counts)
        answer = order[np.repeat(low, counts) + within]
        later = owner[answer] > owner[ask]
        ask, answer = ask[later], answer[later]
        offset = (place[ask] - place[answer] + BIN // 2) // BIN
        votes = (owner[ask] * len(prints) + owner[answer]) * (2 * span) + offset + span
        agreed, count = np.unique(votes, return_counts=True)
        for vote in agreed[count >= VOTES].tolist():
            pair, offset_bin = divmod(vote, 2 * span)
            yield *divmod(pair, len(prints)), (offset_bin - span) * BIN


def _compare(one: Print, other: Print, offset: int, least: int) -> tuple[float, int]:
    """Give the greatest share of equal bits near an offset, and where; 0 where too little overlaps."""
    best = (0.0, offset)
    for shift in range(offset - BIN, offset + BIN + 1):
        start, behind = max(0, shift), max(0, -shift)
        n = min(len(one.words) - start, len(other.words) - behind)
        if n < least:
            continue
        here, there = slice(start, start + n), slice(behind, behind + n)
        both = one.valid[here] & other.valid[there]
        if both.sum() >= least:
            unequal = np.bitwise_count(one.words[here] ^ other.words[there])[both]
            best = max(best, (1.0 - float(unequal.mean()) / BITS, shift))
    return best
