"""Trains a recipe on a prepared set, with or without a teacher; stops and resumes at will.

Everything that happens at a step follows from (seed, step), so that a resumed run equals one
that was never interrupted, bit for bit on the CPU.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from training import checkpoint
from training.batches import ClipBatches, TaughtBatches
from training.checkpoint import Point, RunState, part_of, snapshot
from training.console import out as console
from training.errors import RecipeError, RunError, SplitError
from training.learner import Learner, pick_device
from training.net import GenreNet
from training.nets import Net, make_net
from training.predict import clip_logits, fit_temperature, nll
from training.recipe import AugmentRecipe, Recipe
from training.splits import Split, make_split
from training.store import PreparedSet
from training.teaching import TeachingSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to train, on what, where; see `training.checkpoint.RunState` for the meanings.

    Attributes:
        teach: folders of teaching sets; only for a recipe with a `distil` table.
        begin_from: a run whose weights to begin with, or the ONNX file of a teacher to begin as;
            None begins anew.
        tensorboard: write the curves for TensorBoard, too, into the run's folder.
    """

    recipe: Recipe
    data: Path
    out: Path
    seed: int
    fold: int | None
    folds: int
    split_seed: int
    split: str = "folds"
    teach: Sequence[Path] = ()
    begin_from: Path | None = None
    device: str = "auto"
    threads: int | None = None
    tensorboard: bool = False


def fit(job: Job, *, resume: bool = False, stop_after: int | None = None) -> RunState:
    """Train until the recipe's last step, or until `stop_after`.

    Raises:
        RunError: the folder holds a run already, or another one than is asked to go on.
        SplitError: the run to begin from was taught by a group that is held out here.
    """
    if job.threads:
        torch.set_num_threads(job.threads)
    prepared = PreparedSet(job.data)
    sets = [TeachingSet(folder) for folder in job.teach]
    for opened in (prepared, *sets):
        if opened.front_end != job.recipe.front_end:
            raise RunError(
                f"{opened.folder} was prepared with another front end than recipe '{job.recipe.name}' states",
                remedy=f"prepare it again with '--recipe {job.recipe.name}', into a folder of its own",
            )
    state, split = _new_state(job, prepared)
    if job.recipe.net.teacher:
        return _fit_head(job, state, prepared, sets, resume)
    trainer = Trainer(job, prepared, state, split, sets)
    if (job.out / checkpoint.FILE).exists():
        if not resume:
            raise _run_is_there(job.out)
        trainer.restore()
    else:
        trainer.begin()
    if trainer.state.done:
        return trainer.state
    job.out.mkdir(parents=True, exist_ok=True)
    trainer.run(min(stop_after or job.recipe.fit.steps, job.recipe.fit.steps))
    return trainer.state


def _fit_head(
    job: Job, state: RunState, prepared: PreparedSet, sets: list[TeachingSet], resume: bool
) -> RunState:
    """Fit all at once: there is nothing to go on from."""
    if (job.out / checkpoint.FILE).exists():
        if not resume:
            raise _run_is_there(job.out)
        return checkpoint.load(job.out)[0]
    from training.fit_head import fit_head  # brings scikit-learn

    return fit_head(state, prepared, sets, job.begin_from, job.out)


def _run_is_there(out: Path) -> RunError:
    return RunError(f"{out} holds a run already", remedy="give --resume to go on, or another --out")


def _new_state(job: Job, prepared: PreparedSet) -> tuple[RunState, Split]:
    clips = prepared.clips
    split = make_split(
        clips,
        kind=job.split,
        folds=job.folds,
        fold=job.fold,
        seed=job.split_seed,
        dev_share=job.recipe.fit.dev_share,
    )
    if split.unused:
        console.print(f"{len(split.unused)} clips are in no part of the official split: not used")
    state = RunState(
        recipe=job.recipe,
        seed=job.seed,
        commit=checkpoint.commit(),
        labels=prepared.labels,
        fold=job.fold,
        folds=job.folds,
        split_seed=job.split_seed,
        split=job.split,
        train_groups=sorted({clips[i].group for i in split.train}),
        held_out=[clips[i].id for i in split.test],
        dev=[clips[i].id for i in split.dev],
    )
    return state, split


class Trainer:
    """One run in memory: what learns, what it learns from, and its folder."""

    def __init__(
        self,
        job: Job,
        prepared: PreparedSet,
        state: RunState,
        split: Split,
        sets: Sequence[TeachingSet] = (),
    ) -> None:
        self.state = state
        self._job, self._prepared, self._fit = job, prepared, job.recipe.fit
        if bool(sets) != (job.recipe.distil is not None):
            raise RecipeError(
                f"recipe '{job.recipe.name}' {'has no' if sets else 'has a'} [distil] table",
                remedy="give --teach SET with a recipe that has one, and only with such a recipe",
            )
        self._batches: ClipBatches | TaughtBatches
        # What never changes is not computed anew at every step.
        self._hears_once = job.recipe.net.frozen_filters and job.recipe.augment == AugmentRecipe()
        taught = None
        if job.recipe.distil:
            groups = set(state.train_groups)
            group_of = {clip.id: clip.group for clip in prepared.clips}
            self._batches = TaughtBatches(sets, group_of, groups, job.recipe, job.recipe.distil, state.labels)
            taught = (self._batches.n_embedding, self._batches.n_tags)
            state.taught_by = self._batches.used
        else:
            self._batches = ClipBatches(prepared, split.train, job.recipe, state.labels)
        self._learner = Learner(job.recipe, state.seed, len(state.labels), taught, pick_device(job.device))
        self._best: dict[str, Tensor] = {}
        # Dev part where there is one; else the test fold, which is only watched: nothing is chosen by it.
        self._watched = [prepared.clips[i] for i in (split.dev or split.test)]

    def begin(self) -> None:
        """Take over what the job says to begin with."""
        first = self._job.begin_from
        if first is None:
            if self._job.recipe.net.frozen_filters:
                raise RunError(
                    f"recipe '{self._job.recipe.name}' never changes its filters, and begins with none",
                    remedy="give --begin-from TEACHER.onnx, or --begin-from RUN",
                )
        elif first.suffix == ".onnx":
            self._learner.begin_as(first)
            self.state.begun_from = first.name
        else:
            self._begin_from(first)

    def _begin_from(self, run: Path) -> None:
        """Take over the weights of another run, and answer for the groups that taught it."""
        other, tensors = checkpoint.load(run)
        held_out = {*self.state.held_out, *self.state.dev}
        taught = set(other.train_groups)
        for clip in self._prepared.clips:
            if clip.id in held_out and clip.group in taught and not self.state.leaky:
                raise SplitError(
                    f"group '{clip.group}' is held out here and taught {run}",
                    remedy="begin from a run that was taught by unlabelled music alone, or by the same split",
                )
        self._learner.begin_from(tensors)
        self.state.begun_from = run.name
        self.state.train_groups = sorted(taught | set(self.state.train_groups))

    def restore(self) -> None:
        """Go on where the run's folder stands."""
        state, tensors = checkpoint.load(self._job.out)
        fields = ("seed", "labels", "fold", "folds", "split_seed", "split", "held_out", "dev", "taught_by")
        different = [field for field in fields if getattr(state, field) != getattr(self.state, field)]
        if not set(self.state.train_groups) <= set(state.train_groups):
            different.append("train_groups")
        if not state.recipe.trains_as(self.state.recipe):
            different.insert(0, "recipe")
        if different:
            raise RunError(
                f"{self._job.out} is a run with another {different[0].replace('_', ' ')}",
                remedy="give the options of that run, or another --out",
            )
        self.state = msgspec.structs.replace(state, recipe=self.state.recipe)
        self._learner.restore(tensors)
        self._best = part_of(tensors, "best.")

    def run(self, last: int) -> None:
        """Train up to step `last`."""
        if self._hears_once:
            self._batches.hear(self._learner.found, self._job.recipe.net.stride)
        losses: list[float] = []
        hits: list[float] = []
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress, self._board() as write:
            task = progress.add_task(self._job.out.name, total=self._fit.steps, completed=self.state.step)
            while self.state.step < last and not self.state.done:
                loss, accuracy = self._learner.step(
                    self.state.step, self._batches.draw(self.state.seed, self.state.step)
                )
                losses.append(loss)
                hits.append(accuracy)
                self.state.step += 1
                step = self.state.step
                if step % self._fit.check_every == 0 or step == last:
                    point = self._check(float(np.mean(losses)), float(np.mean(hits)))
                    write(point)
                    losses.clear()
                    hits.clear()
                    progress.update(task, description=f"{self._job.out.name} loss {point.loss:.3f}")
                progress.advance(task)

    def _check(self, loss: float, accuracy: float) -> Point:
        """Add a point to the curves, look whether it is the best, and write the checkpoint."""
        state = self.state
        held_out_nll = held_out_accuracy = None
        if self._watched:
            net = self._learner.evaluated()
            logits, targets, _ = clip_logits(net, self._prepared, self._watched, state.labels)
            held_out_nll = nll(logits, targets, 1.0)
            held_out_accuracy = float((logits.argmax(axis=1) == targets).mean())
        point = Point(
            step=state.step,
            rate=self._learner.rate(state.step),
            loss=loss,
            accuracy=accuracy,
            held_out_nll=held_out_nll,
            held_out_accuracy=held_out_accuracy,
        )
        state.curves.append(point)
        if self._fit.patience and held_out_nll is not None:
            self._keep_best(held_out_nll, net)
        distil = self._job.recipe.distil
        if state.done and distil and distil.refit and isinstance(self._batches, TaughtBatches):
            self._refit(self._batches, distil.refit)
        if state.dev and state.done:
            if self._best:
                net.load_state_dict(self._best)
                logits, targets, _ = clip_logits(net, self._prepared, self._watched, state.labels)
            state.temperature = fit_temperature(logits, targets)
        tensors = self._learner.tensors() | {f"best.{key}": value for key, value in self._best.items()}
        checkpoint.save(self._job.out, state, tensors)
        return point

    def _refit(self, batches: TaughtBatches, share: float) -> None:
        """Mix a head that is fitted anew into that of the network that stands for the run."""
        from training.refit import refit  # brings scikit-learn

        net = self._learner.evaluated()
        if self._best:
            net.load_state_dict(self._best)
        refit(net, self._learner.mimic(), batches.labelled, len(self.state.labels), share)
        self._best = snapshot(net)

    def _keep_best(self, held_out_nll: float, net: GenreNet) -> None:
        """Keep the weights of the least NLL of the dev part; stop once it has long not become less."""
        state = self.state
        before = [p.held_out_nll for p in state.curves[:-1] if p.held_out_nll is not None]
        if held_out_nll < min(before, default=np.inf):
            state.best_step = state.step
            self._best = snapshot(net)
        state.stopped = sum(p.step > state.best_step for p in state.curves) >= self._fit.patience

    def _board(self) -> AbstractContextManager[Callable[[Point], None]]:
        """Give what writes points to TensorBoard; nothing where that isn't asked for."""
        if not self._job.tensorboard:
            return nullcontext(lambda point: None)
        from training.board import board

        return board(self._job.out, self.state.step)


def load_net(folder: Path) -> tuple[RunState, Net]:
    """Give a run's state and the network that stands for it, ready to be asked."""
    state, tensors = checkpoint.load(folder)
    net = make_net(state.recipe.net, n_labels=len(state.labels))
    net.load_state_dict(checkpoint.standing(tensors))
    return state, net.eval()
