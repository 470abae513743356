"""Sweeps and folds, trained here and on a Ray cluster: the same runs, whatever dies on the way."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from streamer.errors import ClusterError, GenrecastError, MissingExtraError
from tests.training.fixtures import ROOT, command
from tests.training.made_up import answers_of
from training import checkpoint
from training.errors import DataError, RecipeError, RunError
from training.sweep import HOW, chosen_by
from training.trials import Here, digest

pytestmark = [pytest.mark.training, pytest.mark.slow]

RATES = ("0.05", "0.01")
RUNS = [Path(f"fit.rate={rate}", "split1", "fold0") for rate in RATES]
WITHIN_S = 100.0


def sweep(data: Path, recipe: Path, out: Path) -> list[object]:
    """Give the words of a sweep over two rates."""
    words = ["training", "fit", "--recipe", recipe, "--data", data, "--out", out, "--folds", 2]
    return [*words, "--fold", 0, "--sweep", f"fit.rate={','.join(RATES)}"]


@contextmanager
def running(home: Path, *words: object, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run `python -m words` until it ends, or as long as it is wanted; Ray's files and key go to `home`."""
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "RAY_TMPDIR": str(home), **env},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < end, f"not within {WITHIN_S} s"
        time.sleep(0.01)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short name, since there are Ray's sockets in it."""
    with TemporaryDirectory(prefix="ray-") as folder:
        yield Path(folder)


def below(pid: int) -> dict[int, str]:
    """Give the processes below one, with their names."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            found[int(child)] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
            found |= below(int(child))
        except OSError:  # it has ended
            continue
    return found


def ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Ask a process to end; give its status, and what it has to say."""
    process.send_signal(number)
    _, err = process.communicate(timeout=WITHIN_S)
    return process.returncode, err


def gone(started: Iterable[int]) -> None:
    """Wait until none of these processes is there any more."""
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))


def steps(run: Path) -> int:
    """Give how far a run came."""
    return json.loads((run / "run.json").read_text())["step"] if (run / "run.json").exists() else 0


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smoke recipe with many checkpoints, and time to disturb it between them."""
    path = tmp_path_factory.mktemp("recipe") / "long.toml"
    text = (ROOT / "training/recipes/smoke.toml").read_text()
    path.write_text(text.replace("steps = 80", "steps = 300").replace("check_every = 40", "check_every = 30"))
    return path


@pytest.fixture(scope="module")
def here(prepared: Path, recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep, trained on this machine."""
    out = tmp_path_factory.mktemp("here")
    done = command(*sweep(prepared, recipe, out), "--threads", 1)
    assert done.status == 0, done.err
    return out


@pytest.mark.timeout(400)
def test_runs_of_a_cluster_equal_those_of_one_machine(
    prepared: Path, recipe: Path, here: Path, tmp_path: Path, home: Path
) -> None:
    """Interrupted by Ctrl-C after a first checkpoint; begun again, and all workers killed after another."""
    words = [*sweep(prepared, recipe, tmp_path / "out"), "--ray", "local"]
    runs = [tmp_path / "out" / run for run in RUNS]

    with running(home, *words) as process:
        until(lambda: any(map(steps, runs)))
        started = below(process.pid)
        assert ended(process, signal.SIGINT) == (
            130,
            "training fit: stopped; the same command goes on from here\n",
        )
    gone(started)

    reached = sum(map(steps, runs))
    assert reached < 2 * 300
    with running(home, *words) as process:
        until(lambda: sum(map(steps, runs)) > reached)
        for pid, name in below(process.pid).items():
            if name.startswith("ray::ImplicitFunc"):
                os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=WITHIN_S)
        assert process.returncode == 0, err
        assert err == ""
        assert "its worker died; it goes on from its checkpoint" in out

    for run in RUNS:
        trained = (tmp_path / "out" / run / checkpoint.FILE).read_bytes()
        assert trained == (here / run / checkpoint.FILE).read_bytes(), run
    assert (tmp_path / "out/sweep.json").read_bytes() == (here / "sweep.json").read_bytes()
    assert not list((tmp_path / "out").glob(".*"))


def test_table_is_sorted_by_the_dev_parts(here: Path) -> None:
    found = json.loads((here / "sweep.json").read_text())
    nll = [row["dev_nll"] for row in found["settings"]]

    assert found["chosen_by"] == "dev"
    assert nll == sorted(nll)
    assert {row["values"]["fit.rate"] for row in found["settings"]} == {0.05, 0.01}


@pytest.mark.parametrize(
    ("dev", "said"),
    [
        ({0: [], 1: []}, "held-out"),
        ({0: ["elsewhere"], 1: []}, "held-out"),
        ({0: ["elsewhere"], 1: ["elsewhere"]}, "dev"),
        ({0: ["of fold 1"], 1: ["elsewhere"]}, "dev-of-folds"),
    ],
)
def test_choice_by_what_is_held_out_elsewhere_is_told(dev: dict[int, list[str]], said: str) -> None:
    states = [answers_of(fold=fold).state for fold in (0, 1)]
    for fold, state in enumerate(states):
        state.held_out, state.dev = [f"of fold {fold}"], dev[fold]

    assert chosen_by(states) == said
    assert said == "dev" or "optimistic" in HOW[said]


def test_dev_parts_that_differ_between_settings_choose_nothing() -> None:
    states = [answers_of().state, answers_of().state]
    for state, dev in zip(states, (["one"], ["one", "other"]), strict=True):
        state.dev = dev

    assert chosen_by(states) == "held-out"


def test_evaluation_finds_all_folds_and_gives_the_same_figures(prepared: Path, tmp_path: Path) -> None:
    options = ("--recipe", "smoke", "--data", prepared, "--folds", 2, "--out", tmp_path)
    done = command("training", "fit", *options, "--all-folds", "--jobs", 2)
    assert done.status == 0, done.err
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob(checkpoint.FILE)}

    done = command("training", "evaluate", *options)

    assert done.status == 0, done.err
    assert len(written) == 2
    assert written == {path: path.stat().st_mtime_ns for path in tmp_path.rglob(checkpoint.FILE)}
    (row,) = json.loads((tmp_path / "sweep.json").read_text())["settings"]
    assert row["accuracy"] == json.loads((tmp_path / "evaluation.json").read_text())["accuracy"]


def test_one_run_is_trained_on_a_cluster(
    prepared: Path, run_of_fold: Path, tmp_path: Path, home: Path
) -> None:
    """Terminated as soon as there is a worker, with the status of a local training; and begun again."""
    run = tmp_path / "run"
    words = ("training", "fit", "--recipe", "smoke", "--data", prepared, "--out", run, "--folds", 2)
    words += ("--fold", 0, "--ray", "local")

    with running(home, *words) as process:
        until(lambda: any(name.startswith("ray::ImplicitFunc") for name in below(process.pid).values()))
        started = below(process.pid)
        assert ended(process, signal.SIGTERM) == (143, "")
    gone(started)

    with running(home, *words) as process:
        out, err = process.communicate(timeout=WITHIN_S)

    assert process.returncode == 0, err
    assert "step 80 of 80" in out
    assert (run / checkpoint.FILE).read_bytes() == (run_of_fold / checkpoint.FILE).read_bytes()


def test_training_that_fails_on_a_cluster_says_why_and_where(
    prepared: Path, run_of_fold: Path, tmp_path: Path, home: Path
) -> None:
    """The run of another fold is in its place."""
    run = shutil.copytree(run_of_fold, tmp_path / "run")
    options = ("--recipe", "smoke", "--data", prepared, "--out", run, "--folds", 2, "--fold", 1)

    with running(home, "training", "fit", *options, "--ray", "local") as process:
        _, err = process.communicate(timeout=WITHIN_S)

    assert process.returncode == RunError.exit_status
    assert re.fullmatch(rf"training fit: training {run} on \S+: {run} is a run with another fold\n.*\n", err)


def test_machine_that_sees_another_set_is_refused(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "mark").touch()
    index = prepared / "index.json"
    seen = Here({index: digest(index)}, tmp_path / "mark", checkpoint.commit())

    seen.check()

    for elsewhere in (tmp_path / "index.json", prepared / "report.json"):
        with pytest.raises(DataError, match="missing or another one"):
            Here({elsewhere: digest(index)}, seen.mark, seen.commit).check()
    with pytest.raises(RunError, match="another folder"):
        Here(seen.sets, tmp_path / "nothing", seen.commit).check()
    with pytest.raises(RunError, match="at commit"):
        Here(seen.sets, seen.mark, "another").check()


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (("--all-folds", "--sweep", "fit.rat=1"), RecipeError, "'fit.rat' is unknown"),
        (("--sweep", "fit.rate=1,2"), RunError, "nothing is held out"),
        (("--all-folds", "--fold", 1), RunError, "--fold means nothing beside --all-folds"),
        (("--all-folds", "--stop-after", 1), RunError, "--stop-after means nothing"),
        (("--ray", "127.0.0.1:1"), ClusterError, "no Ray cluster answers at '127.0.0.1:1'"),
        (("--ray", "somewhere"), ClusterError, "no Ray cluster answers at 'somewhere'"),
    ],
)
def test_mistake_is_told_before_anything_is_trained(
    words: tuple[object, ...],
    error: type[GenrecastError],
    said: str,
    prepared: Path,
    tmp_path: Path,
    home: Path,
) -> None:
    out = tmp_path / "out"

    with running(
        home, "training", "fit", "--recipe", "smoke", "--data", prepared, "--out", out, *words
    ) as process:
        _, err = process.communicate(timeout=WITHIN_S)

    assert process.returncode == error.exit_status, err
    assert said in err
    assert len(err.splitlines()) == 2
    assert not list(tmp_path.rglob(checkpoint.FILE))


def test_missing_ray_names_the_extra(prepared: Path, tmp_path: Path, home: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError\n")
    words = ("--recipe", "smoke", "--data", prepared, "--out", tmp_path / "out", "--ray")

    with running(home, "training", "fit", *words, PYTHONPATH=f"{tmp_path}:{ROOT}") as process:
        _, err = process.communicate(timeout=WITHIN_S)

    assert process.returncode == MissingExtraError.exit_status
    assert "pip install 'genrecast[cluster]'" in err
