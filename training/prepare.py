"""Audio to log-mel arrays, by the streamer's own front end, on all cores; what can't be used is told.

May be stopped and started again: what is done is not done again.
"""

import os
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

from streamer.contract import FrontEnd
from streamer.errors import GenrecastError, SourceNotFoundError
from training.audio import clip_frames
from training.datasets import Clip, LeftOut, Reader
from training.duplicates import find_duplicates, merge_groups
from training.errors import DataError
from training.prepare_report import Report
from training.store import Entry, Index, clip_file, read_frames, write_clip, write_json


def prepare(
    reader: Reader, out: Path, front_end: FrontEnd, *, jobs: int | None = None, console: Console
) -> Report:
    """Prepare a data set into `out`; write `index.json` and `report.json` there.

    Args:
        reader: gives what to decode.
        out: a folder; made where it is missing.
        front_end: how samples become frames.
        jobs: processes; all cores where None.
        console: where the progress bar goes.

    Raises:
        DataError: the set can't be read, no clip at all can be used, or the folder can't be written.
    """
    listed = list(reader.clips())
    try:
        (out / "clips").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"{out}: {error.strerror}", remedy="give --out a folder that can be written"
        ) from error
    left_out = [item for item in listed if isinstance(item, LeftOut)]
    clips = [item for item in listed if isinstance(item, Clip)]
    entries: dict[str, Entry] = {}
    decoded = 0
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("decoding", total=len(clips))
        for result, new in _prepare_all(clips, out, front_end, jobs or os.cpu_count() or 1):
            decoded += new
            if isinstance(result, Entry):
                entries[result.id] = result
            else:
                left_out.append(result)
            progress.advance(task)
    usable = [entries[clip.id] for clip in clips if clip.id in entries]
    with console.status("looking for duplicates"):
        pairs = find_duplicates(usable, lambda entry: read_frames(out, entry), front_end.frame_s)
    usable, merged = merge_groups(usable, pairs)
    write_json(out / "index.json", Index(front_end=front_end, clips=usable))
    report = Report(
        listed=len(listed),
        usable=len(usable),
        decoded_now=decoded,
        seconds=round(sum(entry.frames for entry in usable) * front_end.frame_s, 1),
        groups=len({entry.group for entry in usable}),
        by_label=_counts(entry.label for entry in usable),
        by_split=_counts(entry.split for entry in usable),
        by_reason=_counts(item.reason for item in left_out),
        notes=reader.notes,
        merged=merged,
        duplicates=pairs,
        left_out=sorted(left_out, key=lambda item: item.id),
    )
    write_json(out / "report.json", report)
    if not usable:
        raise DataError(
            f"none of the {len(listed)} clips can be used", remedy=f"see the reasons in {out / 'report.json'}"
        )
    return report


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _prepare_all(
    clips: list[Clip], out: Path, front_end: FrontEnd, jobs: int
) -> Iterator[tuple[Entry | LeftOut, bool]]:
    """Decode all clips in processes; one that kills its process is found and reported, the others go on."""
    left = {clip.id: clip for clip in clips}
    pool = _pool(jobs)
    try:
        futures = {pool.submit(_prepare_one, clip, out, front_end): clip for clip in clips}
        for future in as_completed(futures):
            result = future.result()
            del left[futures[future].id]
            yield result
    except BrokenProcessPool:  # it doesn't say by which clip: the rest is done one by one
        for clip in left.values():
            pool = _pool(1)
            try:
                yield pool.submit(_prepare_one, clip, out, front_end).result()
            except BrokenProcessPool:
                detail = f"{clip.path.name}: the decoder died of it"
                yield LeftOut(id=clip.id, label=clip.label, reason="decoder-died", detail=detail), False
            finally:
                pool.shutdown()
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    """Make a pool whose processes leave Ctrl-C to their parent."""
    context = get_context("spawn")
    ignore = (signal.SIGINT, signal.SIG_IGN)
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=signal.signal, initargs=ignore)


def _prepare_one(clip: Clip, out: Path, front_end: FrontEnd) -> tuple[Entry | LeftOut, bool]:
    """Decode one clip unless that is done; also say whether it was new. Runs in a process of its own."""
    new = False
    try:
        if not clip.path.is_file():
            raise SourceNotFoundError(f"{clip.path}: no such file", remedy="check the path")
        name = clip_file(clip, front_end)
        if (out / name).exists():
            with np.load(out / name, allow_pickle=False) as arrays:
                count = len(arrays["powers"])
        else:
            frames, powers = clip_frames(clip.path, front_end)
            write_clip(out / name, frames, powers)
            count, new = len(frames), True
    except GenrecastError as error:
        return LeftOut(id=clip.id, label=clip.label, reason=error.code, detail=error.message), new
    except OSError as error:
        return LeftOut(id=clip.id, label=clip.label, reason="unreadable", detail=str(error)), new
    entry = Entry(
        id=clip.id,
        label=clip.label,
        group=clip.group,
        licence=clip.licence,
        file=name,
        frames=count,
        split=clip.split,
    )
    return entry, new
