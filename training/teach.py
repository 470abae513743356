"""A teaching set: random views of clips, labelled or not, each with what the teacher says of it anew.

It is a prepared set (see `training.store`) whose clips are views, with `labels.npz` beside the
index (see `training.soft_labels`). A view's id is its clip's with `#` and a number; view 0 is the
clip as it is. Long files are cut into pieces, `@` and the second at which they begin. May be
stopped and started again: what is done is not done again.
"""

import os
import zlib
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import msgspec
import numpy as np
import soxr
from rich.console import Console
from rich.progress import Progress

from streamer.contract import FrontEnd
from streamer.errors import GenrecastError, TooShortError
from streamer.flow import Samples
from streamer.signal.window import SHORTEST_S
from streamer.whole import write_whole
from training.audio import clip_samples, frames_of
from training.datasets import Clip
from training.errors import DataError
from training.soft_labels import SoftLabels, write_soft_labels
from training.store import Entry, Index, clip_file, write_arrays
from training.teacher import FRONT_END as TEACHER_FRONT_END
from training.teacher import Teacher
from training.teaching import LABELS
from training.views import RATE, Partner, make_view

PIECE_S = 30.0
SHORTEST_PIECE_S = 2.0
HOP_S = 2.0
"""From one labelled window to the next."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to teach; travels to the worker processes."""

    clips: list[Clip]
    out: Path
    front_end: FrontEnd
    teacher: Path
    views: int
    seed: int


def teach(
    clips: Iterable[Clip], out: Path, front_end: FrontEnd, teacher: Path, *,
    views: int, seed: int = 1, jobs: int | None = None, console: Console,
) -> tuple[int, dict[str, int]]:  # fmt: skip
    """Make a teaching set.

    Args:
        clips: what to make views of; `label` and `group` may be empty where nothing is known.
        out: folder of the set; made where it is missing.
        front_end: the student's.
        teacher: its ONNX file.
        views: of each piece of `PIECE_S` seconds; the first is the piece as it is.
        seed: of all chance.
        jobs: processes; all cores where None.
        console: where the progress bar goes.

    Returns:
        how many views there are, and clips left out by reason.

    Raises:
        DataError: the teacher can't be used, or no clip can.
    """
    plan = Plan(list(clips), out, front_end, teacher, views, seed)
    Teacher(teacher)  # refused here, not in every worker
    (out / "clips").mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    left_out: dict[str, int] = {}
    context = get_context("spawn")
    with (
        Progress(console=console, transient=True) as progress,
        ProcessPoolExecutor(jobs or os.cpu_count(), context, _start, (plan,)) as pool,
    ):
        task = progress.add_task("making views", total=len(plan.clips))
        for made, reason in pool.map(_teach_one, range(len(plan.clips)), chunksize=1):
            entries += made
            if reason:
                left_out[reason] = left_out.get(reason, 0) + 1
            progress.advance(task)
    if not entries:
        raise DataError(f"none of the {len(plan.clips)} clips can be used", remedy=f"reasons: {left_out}")
    write_soft_labels(out / LABELS, _labels(entries, out, Teacher(teacher)))
    text = msgspec.json.encode(Index(front_end=front_end, clips=entries))
    write_whole(out / "index.json", text)
    return len(entries), dict(sorted(left_out.items()))


_plan: Plan
_teacher: Teacher


def _start(plan: Plan) -> None:
    global _plan, _teacher
    _plan, _teacher = plan, Teacher(plan.teacher)


def _teach_one(at: int) -> tuple[list[Entry], str]:
    """Make all views of one clip; give their entries, or why there are none."""
    clip = _plan.clips[at]
    try:
        whole = clip_samples(clip.path, RATE)
        if len(whole) < SHORTEST_S * RATE:
            return [], TooShortError.code
        name = clip_file(clip, _plan.front_end).removesuffix(".npz")
    except GenrecastError as error:
        return [], error.code
    except OSError:
        return [], "unreadable"
    entries = []
    for start in _pieces(len(whole)):
        piece = whole[start : start + round(PIECE_S * RATE)]
        for number in range(_plan.views):
            second = start // RATE
            view_id = f"{clip.id}@{second}#{number}" if len(whole) > PIECE_S * RATE else f"{clip.id}#{number}"
            entries.append(_write_view(clip, view_id, f"{name}-{second}-{number}.npz", piece, number))
    return entries, ""


def _write_view(clip: Clip, view_id: str, file: str, piece: Samples, number: int) -> Entry:
    path = _plan.out / file
    if not path.exists():
        random = np.random.default_rng((_plan.seed, zlib.crc32(view_id.encode())))
        heard, also = make_view(piece, clip.label, _partner, random) if number else (piece, "")
        frames, powers = frames_of(heard, RATE, _plan.front_end)
        start_s, embedding, tags = _teacher.ask(
            soxr.resample(heard, RATE, TEACHER_FRONT_END.sample_rate, quality="MQ"), HOP_S
        )
        arrays = {
            "frames": frames.astype(np.float16), "powers": powers, "also": np.array(also),
            "start_s": start_s, "embedding": embedding.astype(np.float16), "tags": tags.astype(np.float16),
        }  # fmt: skip
        write_arrays(path, **arrays)
    with np.load(path, allow_pickle=False) as stored:
        return Entry(
            id=view_id, label=clip.label, group=clip.group, licence=clip.licence, file=file,
            frames=len(stored["powers"]), also=str(stored["also"]),
        )  # fmt: skip


def _partner(random: np.random.Generator) -> Partner:
    """Draw another clip, ten seconds of it at most; one that can't be read is silence."""
    clip = _plan.clips[random.integers(len(_plan.clips))]
    try:
        other = clip_samples(clip.path, RATE, most_s=60.0)
    except (GenrecastError, OSError):
        return clip.label, clip.group, np.zeros(RATE, np.float32)
    start = int(random.integers(max(1, len(other) - 10 * RATE)))
    return clip.label, clip.group, other[start : start + 10 * RATE]


def _pieces(n: int) -> list[int]:
    """Give where pieces begin; a rest too short for one is left out, unless it is all there is."""
    starts = range(0, n, round(PIECE_S * RATE))
    return [start for start in starts if start == 0 or n - start >= SHORTEST_PIECE_S * RATE]


def _labels(entries: list[Entry], out: Path, teacher: Teacher) -> SoftLabels:
    """Gather the soft labels of all views."""
    start_s, embedding, tags, owners = [], [], [], []
    for at, entry in enumerate(entries):
        with np.load(out / entry.file, allow_pickle=False) as stored:
            start_s.append(stored["start_s"])
            embedding.append(stored["embedding"])
            tags.append(stored["tags"])
        owners.append(np.full(len(start_s[-1]), at))
    all_tags = np.concatenate(tags)
    return SoftLabels(
        paths=[entry.id for entry in entries],
        clip=np.concatenate(owners),
        start_s=np.concatenate(start_s),
        embedding=np.concatenate(embedding),
        tags=all_tags,
        tag_names=teacher.tag_names(all_tags.shape[1]),
    )
