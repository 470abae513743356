"""Trains a recipe on a prepared set: SGD, cross-entropy, L2, class-balanced; stops and resumes at will."""

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor
from torch.nn import functional

from training import checkpoint
from training.augment import Augment, mixup
from training.batches import Batches
from training.checkpoint import Point, RunState, part_of
from training.console import out as console
from training.errors import RunError
from training.net import GenreNet
from training.predict import clip_logits, fit_temperature, nll
from training.recipe import Recipe
from training.splits import Split, make_split
from training.store import PreparedSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to train, on what, where; see `training.checkpoint.RunState` for the meanings."""

    recipe: Recipe
    data: Path
    out: Path
    seed: int
    fold: int | None
    folds: int
    split_seed: int
    split: str = "folds"
    device: str = "auto"
    threads: int | None = None


def fit(job: Job, *, resume: bool = False, stop_after: int | None = None) -> RunState:
    """Train until the recipe's last step, or until `stop_after`.

    Raises:
        RunError: the folder holds a run already, or another one than is asked to go on.
    """
    if job.threads:
        torch.set_num_threads(job.threads)
    prepared = PreparedSet(job.data)
    if prepared.front_end != job.recipe.front_end:
        raise RunError(
            f"{job.data} was prepared with another front end than recipe '{job.recipe.name}' states",
            remedy=f"run 'python -m training prepare --recipe {job.recipe.name}' into a folder of its own",
        )
    state, split = _new_state(job, prepared)
    trainer = Trainer(job, prepared, state, split)
    if (job.out / checkpoint.FILE).exists():
        if not resume:
            raise RunError(
                f"{job.out} holds a run already", remedy="give --resume to go on, or another --out"
            )
        trainer.restore()
    if trainer.state.done:
        return trainer.state
    job.out.mkdir(parents=True, exist_ok=True)
    trainer.run(min(stop_after or job.recipe.fit.steps, job.recipe.fit.steps))
    return trainer.state


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
    """One run in memory: network, optimiser, batches."""

    def __init__(self, job: Job, prepared: PreparedSet, state: RunState, split: Split) -> None:
        self.state = state
        self._job, self._prepared = job, prepared
        self._fit = job.recipe.fit
        self._device = _device(job.device)
        torch.manual_seed(job.seed)
        self._net = GenreNet(job.recipe.net, n_mels=prepared.front_end.n_mels, n_labels=len(state.labels)).to(
            self._device
        )
        self._optimiser = torch.optim.SGD(
            _parameter_groups(self._net, self._fit.weight_decay),
            lr=self._fit.rate,
            momentum=self._fit.momentum,
            nesterov=True,
        )
        self._batches = Batches(prepared, split.train, job.recipe, state.labels)
        self._augment = Augment(job.recipe.augment, prepared.front_end)
        # Dev part where there is one; else the test fold, which is only watched: nothing is chosen by it.
        self._watched = [prepared.clips[i] for i in (split.dev or split.test)]

    def restore(self) -> None:
        """Go on where the run's folder stands."""
        state, tensors = checkpoint.load(self._job.out)
        fields = ("seed", "labels", "fold", "folds", "split_seed", "split", "train_groups", "held_out", "dev")
        different = [field for field in fields if getattr(state, field) != getattr(self.state, field)]
        if not state.recipe.trains_as(self.state.recipe):
            different.insert(0, "recipe")
        if different:
            raise RunError(
                f"{self._job.out} is a run with another {different[0].replace('_', ' ')}",
                remedy="give the options of that run, or another --out",
            )
        self.state = msgspec.structs.replace(state, recipe=self.state.recipe)
        self._net.load_state_dict(part_of(tensors, "net."))
        for name, parameter in self._net.named_parameters():
            momentum = torch.empty_like(parameter.detach()).copy_(tensors[f"momentum.{name}"])
            self._optimiser.state[parameter]["momentum_buffer"] = momentum

    def run(self, last: int) -> None:
        """Train up to step `last`."""
        losses: list[float] = []
        hits: list[float] = []
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(self._job.out.name, total=self._fit.steps, completed=self.state.step)
            while self.state.step < last:
                loss, accuracy = self._step()
                losses.append(loss)
                hits.append(accuracy)
                self.state.step += 1
                step = self.state.step
                if step % self._fit.check_every == 0 or step == last:
                    point = self._check(float(np.mean(losses)), float(np.mean(hits)))
                    losses.clear()
                    hits.clear()
                    progress.update(task, description=f"{self._job.out.name} loss {point.loss:.3f}")
                progress.advance(task)

    def _step(self) -> tuple[float, float]:
        """Take one step; give its loss and the accuracy on its windows as mixed."""
        step, fit = self.state.step, self._fit
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate(step)
        frames, targets = self._batches.draw(self.state.seed, step)
        seeds = np.random.SeedSequence((self.state.seed, step)).generate_state(2)
        random = torch.Generator().manual_seed(int(seeds[0]))
        torch.manual_seed(int(seeds[1]))  # of dropout
        x = self._augment(torch.from_numpy(frames).to(self._device), random)
        labels = len(self.state.labels)
        y = functional.one_hot(torch.from_numpy(targets), labels).float().to(self._device)
        y = y * (1.0 - fit.label_smoothing) + fit.label_smoothing / labels
        x, y = mixup(x, y, fit.mixup, random)
        self._net.train()
        self._optimiser.zero_grad(set_to_none=True)
        with _precision(fit.precision, self._device):
            logits = self._net(x).float()
        loss = functional.cross_entropy(logits, y)
        loss.backward()
        self._optimiser.step()
        if not math.isfinite(loss.item()):
            raise RunError(f"the loss is not finite at step {step}", remedy="lower fit.rate in the recipe")
        return loss.item(), (logits.argmax(dim=1) == y.argmax(dim=1)).float().mean().item()

    def _rate(self, step: int) -> float:
        rise = min(1.0, (step + 1) / max(1, self._fit.warmup))
        return self._fit.rate * rise * 0.5 * (1.0 + math.cos(math.pi * step / self._fit.steps))

    def _check(self, loss: float, accuracy: float) -> Point:
        """Add a point to the curves and write the checkpoint."""
        state = self.state
        held_out_nll = held_out_accuracy = None
        if self._watched:
            logits, targets, _ = clip_logits(self._net, self._prepared, self._watched, state.labels)
            held_out_nll = nll(logits, targets, 1.0)
            held_out_accuracy = float((logits.argmax(axis=1) == targets).mean())
            if state.dev and state.done:
                state.temperature = fit_temperature(logits, targets)
        point = Point(
            step=state.step,
            rate=self._rate(state.step),
            loss=loss,
            accuracy=accuracy,
            held_out_nll=held_out_nll,
            held_out_accuracy=held_out_accuracy,
        )
        state.curves.append(point)
        tensors: dict[str, Tensor] = {f"net.{key}": value for key, value in self._net.state_dict().items()}
        for name, parameter in self._net.named_parameters():
            tensors[f"momentum.{name}"] = self._optimiser.state[parameter]["momentum_buffer"]
        checkpoint.save(self._job.out, state, tensors)
        return point


def load_net(folder: Path) -> tuple[RunState, GenreNet]:
    """Give a run's state and its network, ready to be asked."""
    state, tensors = checkpoint.load(folder)
    net = GenreNet(state.recipe.net, n_mels=state.recipe.front_end.n_mels, n_labels=len(state.labels))
    net.load_state_dict(part_of(tensors, "net."))
    return state, net.eval()


def _parameter_groups(net: GenreNet, weight_decay: float) -> list[dict[str, object]]:
    """L2 pulls at kernels; a batch norm's scale or a bias that it pulled at would only be in its way."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _device(wanted: str) -> torch.device:
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RunError(
            "CUDA was asked for and torch finds none", remedy="give --device cpu, or install torch for CUDA"
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _precision(wanted: str, device: torch.device) -> AbstractContextManager[object]:
    """Give the context of the layers' arithmetic: bfloat16 only where the hardware multiplies in it."""
    if wanted != "bf16":
        return nullcontext()
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_multiplies_in_bf16()
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def _cpu_multiplies_in_bf16() -> bool:
    """Ask torch, whose name for this is not public; elsewhere it is only slower to do without."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
