"""Runs inputs in a process of its own, watches it, and keeps what it finds.

A decoder's crash takes down that process alone, as it would a worker of the daemon: it is noted
and the next input has its turn in another one.
"""

import multiprocessing
import resource
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import RawArray
from pathlib import Path
from typing import Any, NamedTuple

SLOW_S = 1.0  # of CPU for one input of at most 64 KiB, whatever else the machine does
HANG_S = 60.0  # without a next input; then the process is killed
WARM = 1000  # inputs, after which a process has all the memory that it should have
MAX_DATA = 4 << 30  # bytes: who asks for more gets a MemoryError, which is a finding
LOOK_S = 0.2


class Job(NamedTuple):
    """The inputs `first` to `last - 1` of a target."""

    target: str
    first: int
    last: int


@dataclass
class Result:
    """What came of a campaign."""

    inputs: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    peak_mb: int = 0


def run(jobs: Sequence[Job], folder: Path) -> Iterator[Result]:
    """Run jobs one after the other; give the result so far whenever there was a look at it.

    Args:
        jobs: what to run.
        folder: where findings go, `TARGET-NUMBER.txt`; made where it isn't.
    """
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    result, left = Result(), list(jobs)
    while left:
        at: Any = RawArray("q", (0, left[0].first, 0))  # job, input, peak MB
        process = context.Process(target=_work, args=(left, at, folder), daemon=True)
        process.start()
        seen, since = None, time.monotonic()
        while process.is_alive():
            process.join(LOOK_S)
            if (at[0], at[1]) != seen:
                seen, since = (at[0], at[1]), time.monotonic()
            elif time.monotonic() - since > HANG_S:
                process.kill()
                process.join()
            result.peak_mb = max(result.peak_mb, at[2])
            yield _told(result, left, at, folder)
        job, number = left[at[0]] if at[0] < len(left) else None, at[1]
        for done in left[: at[0]]:
            result.inputs[done.target] += done.last - done.first
        if job is None:
            break
        result.inputs[job.target] += number - job.first
        if process.exitcode:
            result.crashes[job.target] += 1
            hung = time.monotonic() - since > HANG_S
            what = f"hung for {HANG_S:g} s" if hung else f"process died, status {process.exitcode}"
            note(folder, job.target, number, "hang" if hung else "crash", what)
            number += 1
            result.inputs[job.target] += 1
        left = [job._replace(first=number), *left[at[0] + 1 :]]
        left = [job for job in left if job.first < job.last]
    yield _told(result, [], None, folder)


def _told(result: Result, left: Sequence[Job], at: Any, folder: Path) -> Result:
    """Give a result with what the process under way has done so far."""
    so_far = Result(Counter(result.inputs), Counter(result.crashes), [], result.peak_mb)
    if at is not None and left and at[0] < len(left):
        for done in left[: at[0]]:
            so_far.inputs[done.target] += done.last - done.first
        so_far.inputs[left[at[0]].target] += at[1] - left[at[0]].first
    so_far.findings = sorted(path.name for path in folder.glob("*.txt"))
    return so_far


def note(folder: Path, target: str, number: int, kind: str, text: str) -> None:
    """Keep a finding."""
    (folder / f"{target}-{number}-{kind}.txt").write_text(text, encoding="utf-8")


def _work(jobs: Sequence[Job], at: Any, folder: Path) -> None:
    import av.logging

    from tests.fuzz.mutate import make_input
    from tests.fuzz.targets import TARGETS, check

    av.logging.set_level(None)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA, MAX_DATA))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    done = base = 0
    for index, job in enumerate(jobs):
        target = TARGETS[job.target]
        seeds = target.seeds()
        at[1], at[0] = job.first, index
        for number in range(job.first, job.last):
            at[1] = number
            data = make_input(job.target, seeds, number, target.tokens)
            began = time.process_time()
            error = check(target, data)
            spent_s = time.process_time() - began
            if error is not None:
                text = "".join(traceback.format_exception(error)) + f"\n{data[:2000]!r}\n"
                note(folder, job.target, number, type(error).__name__, text)
            if spent_s > SLOW_S:
                note(folder, job.target, number, "slow", f"{spent_s:.2f} s of CPU for {len(data)} bytes")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            at[2], done = peak, done + 1
            if done == WARM:
                base = peak
            if done > WARM and peak > base + target.growth_mb:
                note(folder, job.target, number, "memory", f"{peak} MB, {base} MB before")
                at[1] = number + 1
                return  # another process goes on: this peak would hide the next one
        at[1] = job.last
    at[0] = len(jobs)
