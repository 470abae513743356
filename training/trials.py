"""Trains jobs on the machines of a Ray cluster, each as a trial of Ray Tune (decision 29).

A trial is the same training as here: a process of its own, as many threads as it has cores, and the
folder of its run, which all machines share. Tune finds it a place, and another one when its worker
dies; it goes on from the checkpoint in its folder.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray
from ray import tune
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from streamer import on_ray
from streamer.errors import ClusterError, GenrecastError
from training import checkpoint
from training.console import out as console
from training.console import told
from training.errors import DataError, RunError
from training.fit import Job, fit
from training.folds import Cluster
from training.store import PreparedSet

DEATHS = 10  # of a trial's workers: machines may be taken away, but what kills its own must end
STORE_BYTES = 80 * 2**20
LOCAL = "local"
START = f"{on_ray.START}; or give --ray local"
SAME = "have the same code and libraries on all machines, under the same path"


@dataclass(frozen=True, slots=True)
class Here:
    """What this machine sees, and every other one that trains must see, too.

    Attributes:
        sets: the index of each set that is read, with its SHA-256.
        mark: a file in the folder of the runs.
        commit: of the code.
    """

    sets: dict[Path, str]
    mark: Path
    commit: str

    def check(self) -> None:
        """Check that the machine that this runs on sees the same.

        Raises:
            DataError: it sees no such set, or another one.
            RunError: it doesn't see the folder of the runs, or has other code.
        """
        for index, expected in self.sets.items():
            if digest(index) != expected:
                raise DataError(
                    f"{index} is missing or another one there",
                    remedy="put prepared sets where all machines see them, under the same path",
                )
        if not self.mark.exists():
            raise RunError(
                f"{self.mark.parent} is another folder there",
                remedy="give --out on storage that all machines share, under the same path",
            )
        if checkpoint.commit() != self.commit:
            raise RunError(
                f"the code is at commit {checkpoint.commit()} there, and at {self.commit} here", remedy=SAME
            )


def train_on_ray(jobs: Sequence[Job], cluster: Cluster) -> None:
    """Train the jobs, as many at once as the cluster has room for; see `training.folds.train_all`."""
    jobs = [replace(_anywhere(job), threads=job.threads or cluster.cpus) for job in jobs]
    # Of a cluster of our own, near the least that Ray takes: trials hand over nothing.
    own = {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    options = own if cluster.address == LOCAL else {}
    with (
        _seen(jobs) as here,
        on_ray.connected(cluster.address, remedy=START, **options),
        on_ray.watched(ray, partial(_cut_off, here)),
    ):
        each = _given(jobs, cluster)
        _check_machines(here, each, len(jobs))
        if not each["gpu"]:
            jobs = [replace(job, device="cpu") for job in jobs]
        teller = Teller(jobs)
        with TemporaryDirectory() as state:  # Tune's own, which nobody needs again
            tune.Tuner(
                tune.with_resources(tune.with_parameters(_trial, jobs=jobs, here=here), each),
                param_space={"job": tune.grid_search(list(range(len(jobs))))},
                run_config=tune.RunConfig(
                    storage_path=state,
                    verbose=0,
                    callbacks=[teller],
                    stop=teller,
                    failure_config=tune.FailureConfig(max_failures=DEATHS),
                ),
            ).fit()
    if teller.failed is not None:
        raise teller.failed


def _cut_off(here: Here, error: ClusterError) -> None:
    """End at once; what waits for Ray would not."""
    here.mark.unlink(missing_ok=True)
    os._exit(told(error, name="training"))


def _trial(config: dict[str, Any], jobs: Sequence[Job], here: Here) -> dict[str, str]:
    """Train one job, in a worker."""
    console.quiet = True
    return _answer(lambda: (here.check(), fit(jobs[config["job"]], resume=True)))


def _answer(work: Callable[[], object]) -> dict[str, str]:
    """Work on another machine: what went wrong is an answer, since Tune would try again after an error."""
    answer = {"node": ray.util.get_node_ip_address()}
    try:
        work()
    except GenrecastError as error:
        return answer | {"failed": error.message, "remedy": error.remedy}
    except Exception as error:  # noqa: BLE001
        return answer | {"failed": repr(error), "remedy": "once that is mended the same command goes on"}
    return answer


class Teller(tune.Callback, tune.Stopper):
    """Tells a user how trials end; once one has failed all end.

    Args:
        jobs: by their numbers.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.failed: RunError | None = None
        self._jobs = jobs
        self._trained = 0

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Say that it is trained, or remember why it isn't."""
        out, answer = self._out(trial), trial.last_result
        if "failed" in answer:
            self.failed = RunError(
                f"training {out} on {answer['node']}: {answer['failed']}", remedy=answer["remedy"]
            )
        elif self.failed is None:
            self._trained += 1
            done = f"{self._trained} of {len(self._jobs)}"
            console.print(f"{out} is trained on {answer['node']} ({done})")

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Say that it goes on where its worker died."""
        console.print(f"{self._out(trial)}: its worker died; it goes on from its checkpoint")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Remember that its workers died too often."""
        reason = on_ray.reason(trial.get_pickled_error())
        self.failed = RunError(
            f"training {self._out(trial)}: its workers died {trial.num_failures} times: {reason}",
            remedy="see Ray's logs; the same command goes on",
        )

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Say whether this trial shall end: it does so by itself."""
        return False

    def stop_all(self) -> bool:
        """Say whether all shall end."""
        return self.failed is not None

    def _out(self, trial: Any) -> Path:
        return self._jobs[trial.config["job"]].out


def _anywhere(job: Job) -> Job:
    """Give the job with paths that mean the same in any folder."""
    begin_from = job.begin_from.resolve() if job.begin_from else None
    teach = [folder.resolve() for folder in job.teach]
    return replace(job, data=job.data.resolve(), out=job.out.resolve(), teach=teach, begin_from=begin_from)


@contextmanager
def _seen(jobs: Sequence[Job]) -> Iterator[Here]:
    """Give what this machine sees; the mark stands as long."""
    sets = [PreparedSet(folder) for folder in {folder for job in jobs for folder in (job.data, *job.teach)}]
    indices = [prepared.folder / "index.json" for prepared in sets]
    folder = Path(os.path.commonpath([job.out for job in jobs]))
    mark = folder / f".shared-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise RunError(f"{folder} can't be written: {error.strerror}", remedy="give another --out") from error
    try:
        yield Here({index: digest(index) for index in indices}, mark, checkpoint.commit())
    finally:
        mark.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Give the SHA-256 of a file; nothing where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _given(jobs: Sequence[Job], cluster: Cluster) -> dict[str, float]:
    """Give what each trial gets: CPUs, and GPUs where they are wanted and there are any."""
    gpus = cluster.gpus
    if gpus is None:
        wanted = any(job.device != "cpu" for job in jobs)
        gpus = 1 if wanted and ray.cluster_resources().get("GPU") else 0
    return {"cpu": cluster.cpus, "gpu": gpus}


def _room(node: dict[str, Any], each: dict[str, float]) -> int:
    """Give how many trials a machine can train at once."""
    if not node["Alive"]:
        return 0
    return min(int(node["Resources"].get(name.upper(), 0) / count) for name, count in each.items() if count)


def _check_machines(here: Here, each: dict[str, float], count: int) -> None:
    """Have all machines that can train say whether they see what this one does.

    Raises:
        ClusterError: none has room for a trial.
        RunError: one doesn't, or has other code.
    """
    nodes = [node for node in ray.nodes() if _room(node, each)]
    if not nodes:
        raise ClusterError(
            f"no machine of the cluster has {each['cpu']:g} CPUs and {each['gpu']:g} GPUs for a training",
            remedy="give --cpus-per-trial and --gpus-per-trial as one has: see 'ray status'",
        )
    look = ray.remote(num_cpus=0)(lambda: _answer(here.check))
    places = [NodeAffinitySchedulingStrategy(node["NodeID"], soft=False) for node in nodes]
    asked = [look.options(scheduling_strategy=place).remote() for place in places]
    for node, answering in zip(nodes, asked, strict=True):
        try:
            answer = ray.get(answering)
        except RayError as error:
            answer = {"failed": on_ray.reason(error), "remedy": SAME}
        if "failed" in answer:
            raise RunError(
                f"{node['NodeManagerAddress']} can't train: {answer['failed']}", remedy=answer["remedy"]
            )
    at_once = min(sum(_room(node, each) for node in nodes), count)
    console.print(f"trainings: {count}, {at_once} at once; machines: {len(nodes)}")
