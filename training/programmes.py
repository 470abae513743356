"""Programmes as a station sends them, made of held-out clips, with exact boundaries; for `training.tune`.

clips of one fold -> `lay_out` -> pieces in order -> `render` -> frames -> the streamer's own windows.

A music piece ("track") is clips of one group and label back to back, each used once: an artist's
songs without a break. It holds more cuts than a real track does. Clips shorter than a window are
left out (they would be cuts and little else), and so is a group with too little audio for a piece:
nothing is repeated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamer.contract import FrontEnd
from streamer.flow import Frames, Window
from streamer.signal.window import WindowStream
from training.errors import DataError
from training.store import Entry, PreparedSet

SILENCE = "silence"
LONGEST_S = 90.0  # of a piece; what a group has more is its next piece
PER_GROUP = 4  # pieces of one group and label at most: a programme is not one collection
SAME_LABEL = 0.4  # share of tracks that are followed by one of the same label where there is one
SILENCE_S = (2.0, 6.0)


@dataclass(frozen=True, slots=True)
class Piece:
    """What plays from frame `start` to before frame `stop`; `label` is `silence` where `clips` is empty."""

    label: str
    group: str
    clips: tuple[Entry, ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Programme:
    """Pieces in order; what was not used, in clips by reason.

    Attributes:
        pieces: without holes between them, the first at frame 0.
        left_out: clips by reason.
    """

    pieces: list[Piece]
    left_out: dict[str, int] = field(default_factory=dict)


def lay_out(
    clips: Sequence[Entry], not_music: Sequence[str], front_end: FrontEnd, *, shortest_s: float, seed: int
) -> Programme:
    """Order a fold's clips as a programme: sets of tracks, between them breaks of speech, noise, silence.

    Args:
        clips: held-out ones.
        not_music: labels that are no genre.
        front_end: of the clips.
        shortest_s: shortest track; speech and noise are taken from half of that on.
        seed: of the order.

    Raises:
        DataError: there is no music, or nothing between which anything could change.
    """
    random = np.random.default_rng(seed)
    usable = [clip for clip in clips if clip.frames >= front_end.n_frames]
    left_out = {"clips shorter than a window": len(clips) - len(usable)}
    groups: dict[tuple[str, str], list[Entry]] = {}
    for clip in usable:
        groups.setdefault((clip.label, clip.group), []).append(clip)
    music: list[list[Entry]] = []
    talk: list[list[Entry]] = []
    for (label, _), members in sorted(groups.items()):
        shortest = shortest_s / 2 if label in not_music else shortest_s
        found = _cut([members[i] for i in random.permutation(len(members))], front_end.frame_s, shortest)
        (talk if label in not_music else music).extend(found)
    placed = sum(len(part) for part in (*music, *talk))
    left_out["clips of groups too short for a piece, or beyond its share"] = len(usable) - placed
    if len(music) < 2 or len({part[0].label for part in (*music, *talk)}) < 2:
        raise DataError(
            f"{len(clips)} held-out clips make {len(music)} tracks of {shortest_s:g} s and more: too few",
            remedy="give a lower --shortest, or a set with more music",
        )
    return Programme(_place(_order(music, talk, random), front_end, random), left_out)


def _cut(clips: list[Entry], frame_s: float, shortest_s: float) -> list[list[Entry]]:
    """Cut a group's clips into pieces of at most `LONGEST_S`, or of one clip."""
    pieces: list[list[Entry]] = [[]]
    for clip in clips:
        if pieces[-1] and _seconds([*pieces[-1], clip], frame_s) > LONGEST_S:
            pieces.append([])
        pieces[-1].append(clip)
    return [piece for piece in pieces if _seconds(piece, frame_s) >= shortest_s][:PER_GROUP]


def _seconds(clips: Sequence[Entry], frame_s: float) -> float:
    return sum(clip.frames for clip in clips) * frame_s


def _order(
    music: list[list[Entry]], talk: list[list[Entry]], random: np.random.Generator
) -> list[list[Entry]]:
    """Order pieces: a break after every second track on average; an empty piece stands for silence."""
    left = [music[i] for i in random.permutation(len(music))]
    tracks = [left.pop()]
    while left:
        same = random.random() < SAME_LABEL
        fitting = [i for i, part in enumerate(left) if (part[0].label == tracks[-1][0].label) == same]
        tracks.append(left.pop(fitting[-1] if fitting else -1))
    shuffled = [talk[i] for i in random.permutation(len(talk))]
    breaks = np.sort(random.permutation(len(tracks))[: (len(tracks) + 1) // 2])
    shares = np.array_split(np.arange(len(shuffled)), len(breaks))
    after = {int(at): [shuffled[i] for i in share] for at, share in zip(breaks, shares, strict=True)}
    ordered: list[list[Entry]] = []
    for at, track in enumerate(tracks):
        ordered.append(track)
        if random.random() < 0.25:
            ordered.append([])
        ordered += after.get(at, [])
    return ordered


def _place(ordered: list[list[Entry]], front_end: FrontEnd, random: np.random.Generator) -> list[Piece]:
    pieces: list[Piece] = []
    start = 0
    for clips in ordered:
        if clips:
            label, group, count = clips[0].label, clips[0].group, sum(clip.frames for clip in clips)
        else:
            label, group, count = SILENCE, "", round(random.uniform(*SILENCE_S) / front_end.frame_s)
        pieces.append(Piece(label, group, tuple(clips), start, start + count))
        start += count
    return pieces


def render(piece: Piece, prepared: PreparedSet) -> tuple[Frames, NDArray[np.float32]]:
    """Give the (k, n_mels) frames of a piece and their (k,) powers."""
    if piece.clips:
        parts = [(prepared.frames(clip), prepared.powers(clip)) for clip in piece.clips]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
    front, count = prepared.front_end, piece.stop - piece.start
    nothing = np.full((count, front.n_mels), np.log(front.log_offset), np.float32)
    return nothing, np.zeros(count, np.float32)


def windows(programme: Programme, prepared: PreparedSet, hop: int) -> Iterator[list[Window]]:
    """Give a programme's windows piece by piece, `hop` frames apart; their ends count from frame 0."""
    front = prepared.front_end
    stream = WindowStream(front, hop)
    for piece in programme.pieces:
        frames, powers = render(piece, prepared)
        end = (piece.stop - 1) * front.hop_length + front.n_fft
        yield stream.push(frames, powers, end)
