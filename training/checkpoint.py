"""A run's folder: `checkpoint.safetensors` is all of it, `run.json` the same without the tensors, to read.

One file holds the weights (`net.*`), their running mean (`ema.*`), the best ones so far (`best.*`),
what imitates the teacher (`mimic.*`), the optimiser's momentum (`momentum.*`) and, as JSON in
its header, everything else; so a run that dies leaves the old state or the new, never a mixture.
Randomness is derived from (seed, step), so there is no generator to save.
"""

import subprocess
from pathlib import Path

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from streamer.whole import replacing, write_whole
from training.errors import RunError
from training.recipe import Recipe
from training.splits import is_leaky

FILE = "checkpoint.safetensors"


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the curves. Held-out figures are shown, never chosen by; None where nothing is held out."""

    step: int
    rate: float
    loss: float
    accuracy: float
    held_out_nll: float | None = None
    held_out_accuracy: float | None = None


class RunState(msgspec.Struct, kw_only=True):
    """What a run is and how far it came.

    Attributes:
        recipe: as read when the run began.
        seed: of the training.
        commit: of the code, `-dirty` where files differed.
        labels: in the order of the network's output.
        fold, folds, split_seed: which part is held out; fold None: none, or the split has no folds.
        split: kind of the split, see `training.splits`.
        train_groups: the groups that taught it.
        held_out: ids of the clips of the test fold.
        dev: ids of the clips of the dev part.
        taught_by: teaching sets, each with how many of its views teach.
        begun_from: the run whose weights it began with, whose groups are among `train_groups`, or the
            teacher that it began as.
        step: steps done.
        best_step: where the NLL of the dev part was least; its weights are the run's. 0: not looked for.
        stopped: True where the dev part's NLL had long not become better.
        temperature: that logits are divided by; 1 until it is fitted.
        curves: one point each `check_every` steps.
    """

    recipe: Recipe
    seed: int
    commit: str
    labels: list[str]
    fold: int | None
    folds: int
    split_seed: int
    train_groups: list[str]
    held_out: list[str]
    dev: list[str]
    taught_by: dict[str, int] = {}
    begun_from: str = ""
    step: int = 0
    best_step: int = 0
    stopped: bool = False
    temperature: float = 1.0
    split: str = "folds"
    curves: list[Point] = []

    @property
    def done(self) -> bool:
        """True when no step is left to take."""
        return self.stopped or self.step >= self.recipe.fit.steps

    @property
    def leaky(self) -> bool:
        """True when clips of one group may be on both sides: no figure of this run is honest."""
        return is_leaky(self.split)


def save(folder: Path, state: RunState, tensors: dict[str, Tensor]) -> None:
    """Write a run's folder."""
    text = msgspec.json.encode(state)
    with replacing(folder / FILE) as part:
        save_file({key: value.contiguous() for key, value in tensors.items()}, part, {"state": text.decode()})
    write_whole(folder / "run.json", msgspec.json.format(text, indent=1))


def load(folder: Path) -> tuple[RunState, dict[str, Tensor]]:
    """Read a run's folder, or its checkpoint file.

    Raises:
        RunError: there is no checkpoint, or it can't be read.
    """
    path = folder / FILE if folder.is_dir() else folder
    try:
        with safe_open(path, framework="pt") as file:
            state = msgspec.json.decode((file.metadata() or {})["state"], type=RunState)
            return state, {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, msgspec.MsgspecError) as error:
        raise RunError(
            f"{path}: no checkpoint of a run: {error}",
            remedy="give the folder that 'python -m training fit --out' wrote",
        ) from error


def part_of(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Give the tensors under a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def standing(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights that stand for a run, of its checkpoint.

    Those of the least NLL of the dev part, else the running mean, else the last; with the head that
    was fitted at the end, where the recipe says so.
    """
    return next(found for prefix in ("best.", "ema.", "net.") if (found := part_of(tensors, prefix)))


def snapshot(net: nn.Module) -> dict[str, Tensor]:
    """Give a copy of a network's weights that goes its own way."""
    return {key: value.detach().clone() for key, value in net.state_dict().items()}


def commit() -> str:
    """Give the commit of this code, `unknown` outside a repository."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "--no-optional-locks", *words], cwd=here, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (
            "-dirty" if git("status", "--porcelain", ".") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
