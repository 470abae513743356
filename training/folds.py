"""Trains many jobs: one after the other, several processes at once, or on the machines of a Ray cluster.

A run that is there goes on where it stands, or is left as it is when it is done.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from streamer import on_ray
from training.console import guarded
from training.console import out as console
from training.errors import RunError
from training.fit import Job, fit

TUNE = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it would write Tune's state for ten seconds; ours is in the runs
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A Ray cluster, and what of it each training is given.

    Attributes:
        address: `HOST:PORT` of a cluster that this machine is part of; `auto` finds it; `local` starts
            one here, which ends with us.
        cpus: cores of each training, which are its threads.
        gpus: of each training, or a share of one; None: one where the cluster has any.
    """

    address: str = "auto"
    cpus: int = 1
    gpus: float | None = None


def folds_of(job: Job, *, split_seeds: Sequence[int]) -> list[Job]:
    """Give a job for each fold of each split seed, under the folder of `job`; one a seed without folds.

    Where the job names a fold there is that one alone. The training's seed goes along with that of the folds.
    """
    folds = range(job.folds) if job.split.endswith("folds") and job.fold is None else [job.fold]
    return [
        replace(
            job,
            split_seed=seed,
            seed=job.seed + seed - 1,
            fold=fold,
            out=job.out / f"split{seed}" / ("run" if fold is None else f"fold{fold}"),
        )
        for seed in split_seeds
        for fold in folds
    ]


def train_all(jobs: Sequence[Job], parallel: int = 1, cluster: Cluster | None = None) -> None:
    """Train the jobs, `parallel` at once, each of these in a process of its own with one thread.

    Ctrl-C, or a job that fails, ends the others too; the same jobs then go on from their checkpoints.

    Args:
        jobs: with a folder each.
        parallel: processes at once.
        cluster: train them there instead.

    Raises:
        RunError: a training failed; it has said why.
        ClusterError: the cluster can't be reached, or no machine of it has what a training is given.
        MissingExtraError: Ray is not installed.
    """
    if cluster is not None:
        on_ray.load("--ray", TUNE)
        from training.trials import train_on_ray

        train_on_ray(jobs, cluster)
        return
    if parallel <= 1 or len(jobs) == 1:
        for job in jobs:
            fit(job, resume=True)
        return
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes: read when torch is loaded
    context = get_context("spawn")
    waiting = [replace(job, threads=1) for job in reversed(jobs)]
    running: dict[BaseProcess, Job] = {}
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                job = waiting.pop()
                process = context.Process(target=_fit_one, args=(job,), name=f"fit {job.out.name}")
                process.start()
                running[process] = job
            wait([process.sentinel for process in running])
            for process in [process for process in running if process.exitcode is not None]:
                _done(process, running.pop(process))
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.join()


def _done(process: BaseProcess, job: Job) -> None:
    if process.exitcode:
        raise RunError(
            f"training {job.out} ended with status {process.exitcode}",
            remedy="see above for the reason; the same command goes on from here",
        )
    console.print(f"{job.out} is trained")


def _fit_one(job: Job) -> None:
    """Train one job, in a process of its own: Ctrl-C is its parent's, which then ends it in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console.quiet = True  # several progress bars would write over each other
    status = guarded(lambda: fit(job, resume=True), name=f"training {job.out.parent.name}/{job.out.name}")
    sys.exit(status)
