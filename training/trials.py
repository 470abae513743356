"""Trains jobs on the machines of a Ray cluster, each as a trial of Ray Tune (decision 29).

A trial is the same training as here: a process of its own, as many threads as it has cores, and the
folder of its run, which all machines share. Tune finds it a place, and another one when its worker
dies; it goes on from the checkpoint in its folder.
"""

import hashlib
import logging
import os
import signal
import socket
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from streamer.errors import ClusterError, GenrecastError, MissingExtraError
from training import checkpoint
from training.console import out as console
from training.errors import DataError, RunError
from training.fit import Job, fit
from training.folds import Cluster

try:
    import ray
    from ray import tune
except ImportError as error:
    raise MissingExtraError("--ray", "cluster") from error

DEATHS = (
    10  # of the workers of one trial: machines may be taken away, but a training that kills its own must end
)
ANSWER_S = 5.0  # a head that takes no connection in that time is not there; Ray itself would wait two minutes
STORE_BYTES = (
    80 * 2**20
)  # of a cluster of our own: near the least that Ray takes, as trials hand over nothing
QUIET = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else Ray warns of its own default
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it would write its own state for ten seconds; ours is in the runs
}


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
                f"the code is at commit {checkpoint.commit()} there, and at {self.commit} here",
                remedy="have the same code on all machines, or on storage that they share",
            )


def train_on_ray(jobs: Sequence[Job], cluster: Cluster) -> None:
    """Train the jobs, as many at once as the cluster has room for; see `training.folds.train_all`."""
    jobs = [_elsewhere(job) for job in jobs]
    with _seen(jobs) as here, _connected(cluster):
        each = _given(jobs, cluster)
        threads = [replace(job, threads=job.threads or cluster.cpus) for job in jobs]
        sent = threads if each["gpu"] else [replace(job, device="cpu") for job in threads]
        teller = Teller(sent)
        with TemporaryDirectory() as state:  # Tune's own, which nobody needs again
            trials = tune.Tuner(
                tune.with_resources(tune.with_parameters(_trial, jobs=sent, here=here), each),
                param_space={"job": tune.grid_search(list(range(len(sent))))},
                run_config=tune.RunConfig(
                    storage_path=state,
                    verbose=0,
                    callbacks=[teller],
                    failure_config=tune.FailureConfig(max_failures=DEATHS),
                ),
            )
            try:
                trials.fit()
            except tune.TuneError:
                if teller.failed is None:
                    raise
                raise teller.failed from None


def _trial(config: dict[str, Any], jobs: Sequence[Job], here: Here) -> dict[str, str]:
    """Train one job, in a worker: what went wrong is an answer, since Tune would try an error again."""
    console.quiet = True
    answer = {"node": ray.util.get_node_ip_address()}
    try:
        here.check()
        fit(jobs[config["job"]], resume=True)
    except GenrecastError as error:
        return answer | {"failed": error.message, "remedy": error.remedy}
    except Exception as error:  # noqa: BLE001
        return answer | {"failed": repr(error), "remedy": "the same command goes on once that is mended"}
    return answer


class Teller(tune.Callback):
    """Tells a user how trials end; one that failed ends them all.

    Args:
        jobs: by their numbers.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.failed: RunError | None = None
        self._jobs = jobs
        self._trained = 0

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Say that it is trained, or end."""
        answer = trial.last_result
        if "failed" in answer:
            self._fail(trial, f" on {answer['node']}: {answer['failed']}", answer["remedy"])
        self._trained += 1
        done = f"{self._trained} of {len(self._jobs)}"
        console.print(f"{self._out(trial)} is trained on {answer['node']} ({done})")

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Say that it goes on where its worker died."""
        console.print(f"{self._out(trial)}: its worker died; it goes on from its checkpoint")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """End: its workers died too often, or could not even begin."""
        reason = str(trial.get_pickled_error()).strip().splitlines()[-1]
        remedy = "have the same code and libraries, and enough memory, on all machines; see Ray's logs"
        self._fail(trial, f": its workers died {trial.num_failures} times: {reason}", remedy)

    def _out(self, trial: Any) -> Path:
        return self._jobs[trial.config["job"]].out

    def _fail(self, trial: Any, how: str, remedy: str) -> NoReturn:
        """End all trials; Tune makes a text of what a callback raises, so it is kept."""
        self.failed = RunError(f"training {self._out(trial)}{how}", remedy=remedy)
        raise self.failed


def _elsewhere(job: Job) -> Job:
    """Give the job with paths that mean the same in any folder."""
    begin_from = job.begin_from.resolve() if job.begin_from else None
    teach = [folder.resolve() for folder in job.teach]
    return replace(job, data=job.data.resolve(), out=job.out.resolve(), teach=teach, begin_from=begin_from)


@contextmanager
def _seen(jobs: Sequence[Job]) -> Iterator[Here]:
    """Give what this machine sees; the mark stands as long."""
    folder = Path(os.path.commonpath([job.out for job in jobs]))
    folders = sorted({folder for job in jobs for folder in (job.data, *job.teach)})
    mark = folder / f".shared-{uuid.uuid4().hex}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        raise RunError(f"{folder} can't be written: {error.strerror}", remedy="give another --out") from error
    try:
        sets = {folder / "index.json": digest(folder / "index.json") for folder in folders}
        yield Here(sets, mark, checkpoint.commit())
    finally:
        mark.unlink()


def digest(path: Path) -> str:
    """Give the SHA-256 of a file; nothing where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


@contextmanager
def _connected(cluster: Cluster) -> Iterator[None]:
    """Connect with a cluster, or start one here; nothing of Ray's is shown."""
    os.environ.update({name: os.environ.get(name, value) for name, value in QUIET.items()})
    own = {"include_dashboard": False, "object_store_memory": STORE_BYTES}
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        _knock(cluster.address)
        ray.init(
            address=cluster.address,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            **(own if cluster.address == "local" else {}),
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"no Ray cluster answers at '{cluster.address}': {str(error).strip().splitlines()[0]}",
            remedy="start one with 'ray start --head', and 'ray start --address HOST:PORT' on each machine, "
            "and run this on one of them; or give --ray local",
        ) from error
    signal.signal(signal.SIGTERM, terminated)  # Ray has put its own in its place
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """See whether anything listens at an address; raises OSError or ValueError."""
    address = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    if address not in {"auto", "local"}:
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), ANSWER_S).close()


def _given(jobs: Sequence[Job], cluster: Cluster) -> dict[str, float]:
    """Give what each trial gets, which one machine at least must have."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = cluster.gpus
    if gpus is None:
        wanted = any(job.device != "cpu" for job in jobs)
        gpus = 1 if wanted and any(machine.get("GPU") for machine in machines) else 0
    each = {"cpu": cluster.cpus, "gpu": gpus}
    rooms = [
        min(int(machine.get(name.upper(), 0) // count) for name, count in each.items() if count)
        for machine in machines
    ]
    if not any(rooms):
        largest = max(machines, key=lambda machine: machine.get("CPU", 0))
        raise ClusterError(
            f"no machine of the cluster has {cluster.cpus} CPUs and {gpus:g} GPUs for a training",
            remedy="give --cpus-per-trial and --gpus-per-trial as one has: the largest has "
            f"{largest.get('CPU', 0):g} and {largest.get('GPU', 0):g}",
        )
    at_once = min(sum(rooms), len(jobs))
    console.print(f"trainings: {len(jobs)}, {at_once} at once; machines of the cluster: {len(machines)}")
    return each
