"""What a process has and costs, as it sees itself, what of it can be given back, and how a child is begun."""

import contextlib
import ctypes
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path


def cores() -> int:
    """Give how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_s() -> float:
    """Give the CPU seconds of this process."""
    times = os.times()
    return times.user + times.system


def rss_mb() -> float:
    """Give the resident memory of this process in MiB; where the system doesn't tell, its peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / 2**20
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def give_back() -> None:
    """Give the system the memory that is free; by itself glibc does so only at the end of its heap."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@contextlib.contextmanager
def sheltered() -> Iterator[None]:
    """Keep Ctrl-C, and a terminal that is closed, from the children begun within: they are for the parent.

    What is blocked stays so in a child; the parent tells it to end.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
