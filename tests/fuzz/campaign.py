"""Runs inputs in a process of its own, watches it, and keeps what it finds.

A decoder's crash takes down that process alone, as it would a worker of the daemon: it is noted
and the next input has its turn in another one.
"""

import multiprocessing
import resource
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
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


class Result(NamedTuple):
    """What came of a campaign: inputs done and crashes by target, the names of findings, memory."""

    inputs: Counter[str]
    crashes: Counter[str]
    findings: list[str]
    peak_mb: int


def run(jobs: Sequence[Job], folder: Path) -> Iterator[Result]:
    """Run jobs one after the other; give the result so far whenever there was a look at it.

    Args:
        jobs: what to run.
        folder: where findings go, `TARGET-NUMBER-KIND.txt`; made where it isn't.
    """
    folder.mkdir(parents=True, exist_ok=True)
    memory = Path("/dev/shm")  # inputs of readers of files are written there, where there is one
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as scratch:
        yield from _run(jobs, folder, scratch)


def _run(jobs: Sequence[Job], folder: Path, scratch: str) -> Iterator[Result]:
    context = multiprocessing.get_context("spawn")
    crashes: Counter[str] = Counter()
    at: Any = RawArray("q", (0, jobs[0].first, 0))  # job, number of the input, peak MB
    while at[0] < len(jobs):
        process = context.Process(target=_work, args=(jobs, at, folder, scratch), daemon=True)
        process.start()
        seen, since, hung = (-1, -1), time.monotonic(), False
        while process.is_alive():
            process.join(LOOK_S)
            yield _so_far(jobs, at, crashes, folder)
            if (at[0], at[1]) != seen:
                seen, since = (at[0], at[1]), time.monotonic()
            elif time.monotonic() - since > HANG_S:
                hung = True
                process.kill()
                process.join()
        if process.exitcode:
            target, number = jobs[at[0]].target, at[1]
            crashes[target] += 1
            what = (
                f"no next input for {HANG_S:g} s" if hung else f"the process died, status {process.exitcode}"
            )
            note(folder, target, number, "hang" if hung else "crash", what)
            at[1] = number + 1
    yield _so_far(jobs, at, crashes, folder)


def _so_far(jobs: Sequence[Job], at: Any, crashes: Counter[str], folder: Path) -> Result:
    index, number, peak_mb = at
    inputs = Counter({job.target: job.last - job.first for job in jobs[:index]})
    if index < len(jobs):
        inputs[jobs[index].target] = number - jobs[index].first
    return Result(inputs, Counter(crashes), sorted(path.name for path in folder.glob("*.txt")), peak_mb)


def note(folder: Path, target: str, number: int, kind: str, text: str) -> None:
    """Keep a finding."""
    (folder / f"{target}-{number}-{kind}.txt").write_text(text, encoding="utf-8")


def _work(jobs: Sequence[Job], at: Any, folder: Path, scratch: str) -> None:
    import av.logging

    from tests.fuzz.mutate import make_input
    from tests.fuzz.targets import TARGETS, check

    tempfile.tempdir = scratch
    av.logging.set_level(None)
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA, MAX_DATA))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    done = base = 0
    while at[0] < len(jobs):
        job = jobs[at[0]]
        target = TARGETS[job.target]
        seeds = target.seeds()
        for number in range(at[1], job.last):
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
            peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
            at[2], done = max(at[2], peak_mb), done + 1
            if done == WARM:
                base = peak_mb
            if done > WARM and peak_mb > base + target.growth_mb:
                note(folder, job.target, number, "memory", f"{peak_mb} MB, {base} MB before")
                at[1] = number + 1
                return  # another process goes on: this peak would hide the next one
        at[0] += 1
        at[1] = jobs[at[0]].first if at[0] < len(jobs) else 0
