"""What learns in a run: the network, what imitates the teacher, the optimiser, the running mean of weights.

SGD with Nesterov momentum on cross-entropy, L2 on kernels; with a teacher also the squared error
of its standardised embedding and the cross-entropy of its tags, given by linear layers on the
hidden features that are not exported.
"""

import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.augment import Augment, mixup
from training.batches import Batch
from training.checkpoint import part_of, snapshot
from training.errors import RunError
from training.net import GenreNet
from training.recipe import Recipe


class Mimic(nn.Module):
    """Hidden features to what the teacher says: (batch, hidden) -> embedding, logits of tags."""

    def __init__(self, hidden: int, n_embedding: int, n_tags: int) -> None:
        super().__init__()
        self.embedding = nn.Linear(hidden, n_embedding)
        self.tags = nn.Linear(hidden, n_tags)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        return self.embedding(hidden), self.tags(hidden)


class Learner:
    """A network in training.

    Args:
        recipe: what to learn and how.
        seed: of weights and of all chance.
        n_labels: outputs of the network.
        taught: numbers in the teacher's embedding and tags; None without a teacher.
        device: where to compute.
    """

    def __init__(
        self, recipe: Recipe, seed: int, n_labels: int, taught: tuple[int, int] | None, device: torch.device
    ) -> None:
        self._recipe, self._fit, self._seed, self._n_labels = recipe, recipe.fit, seed, n_labels
        self.device = device
        torch.manual_seed(seed)
        self.net = GenreNet(recipe.net, n_labels=n_labels).to(device)
        self._mimic = Mimic(recipe.net.hidden, *taught).to(device) if taught else None
        self._augment = Augment(recipe.augment, recipe.front_end)
        self._mean = snapshot(self.net)
        self._optimiser = torch.optim.SGD(
            _parameter_groups(self._parameters(), self._fit.weight_decay),
            lr=self._fit.rate,
            momentum=self._fit.momentum,
            nesterov=True,
        )

    def begin_from(self, tensors: dict[str, Tensor]) -> None:
        """Take what fits of another run's checkpoint; a layer of other labels begins anew."""
        own = self.net.state_dict()
        given = part_of(tensors, "ema.") or part_of(tensors, "net.")
        fits = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
        if not any(key.startswith("trunk.") for key in fits):
            raise RunError(
                "its trunk has other shapes than the recipe's", remedy="begin from a run of its widths"
            )
        self.net.load_state_dict(fits, strict=False)
        if self._mimic and all(
            tensors.get(f"mimic.{key}", value).shape == value.shape
            for key, value in self._mimic.state_dict().items()
        ):
            self._mimic.load_state_dict(part_of(tensors, "mimic."), strict=False)
        self._mean = snapshot(self.net)

    def take_filters(self, teacher: Path) -> None:
        """Begin with a teacher's filters.

        Raises:
            DataError: it has none of the recipe's sizes.
        """
        from training.teacher import read_filters  # brings onnx and its runtime

        found = read_filters(teacher, self._recipe.net.filters)
        for conv, (weight, bias) in zip(self.net.trunk.filters.convs, found, strict=True):
            conv.weight.data.copy_(torch.from_numpy(weight))
            conv.bias.data.copy_(torch.from_numpy(bias))
        self._mean = snapshot(self.net)

    def tensors(self) -> dict[str, Tensor]:
        """Give all that a checkpoint must hold."""
        out = {f"net.{key}": value for key, value in self.net.state_dict().items()}
        if self._fit.ema:
            out |= {f"ema.{key}": value for key, value in self._mean.items()}
        if self._mimic:
            out |= {f"mimic.{key}": value for key, value in self._mimic.state_dict().items()}
        for name, parameter in self._parameters().items():
            out[f"momentum.{name}"] = self._optimiser.state[parameter]["momentum_buffer"]
        return out

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from a checkpoint of this run."""
        self.net.load_state_dict(part_of(tensors, "net."))
        self._mean = part_of(tensors, "ema.")
        if self._mimic:
            self._mimic.load_state_dict(part_of(tensors, "mimic."))
        for name, parameter in self._parameters().items():
            momentum = torch.empty_like(parameter.detach()).copy_(tensors[f"momentum.{name}"])
            self._optimiser.state[parameter]["momentum_buffer"] = momentum

    def evaluated(self) -> GenreNet:
        """Give the network that is asked and exported: of the running mean of weights, where there is one."""
        if not self._fit.ema:
            return self.net.eval()
        mean = GenreNet(self._recipe.net, n_labels=self._n_labels)
        mean.load_state_dict(self._mean)
        return mean.to(self.device).eval()

    def rate(self, step: int) -> float:
        """Give the learning rate of a step: a rise over `warmup` steps, then a cosine to zero."""
        rise = min(1.0, (step + 1) / max(1, self._fit.warmup))
        return self._fit.rate * rise * 0.5 * (1.0 + math.cos(math.pi * step / self._fit.steps))

    def step(self, step: int, batch: Batch) -> tuple[float, float]:
        """Take one step; give its loss, and the accuracy on its windows as labelled and mixed."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.rate(step)
        seeds = np.random.SeedSequence((self._seed, step)).generate_state(2)
        random = torch.Generator().manual_seed(int(seeds[0]))
        torch.manual_seed(int(seeds[1]))  # of dropout
        x = self._augment(torch.from_numpy(batch.frames).to(self.device), random)
        y = self._wanted(batch)
        x, y = mixup(x, y, self._fit.mixup, random)
        self.net.train()
        self._optimiser.zero_grad(set_to_none=True)
        with _precision(self._fit.precision, self.device):
            hidden = self.net.hidden(x)
            logits = self.net.head.logits(hidden).float()
            told = self._mimic(hidden) if self._mimic else None
        loss, accuracy = self._loss(logits, told, y)
        loss.backward()
        self._optimiser.step()
        if not math.isfinite(loss.item()):
            raise RunError(f"the loss is not finite at step {step}", remedy="lower fit.rate in the recipe")
        self._follow(step)
        return loss.item(), accuracy

    def _wanted(self, batch: Batch) -> Tensor:
        """Give (batch, n_labels + embedding + tags): rows that mixup can mix.

        The part of the labels sums to how much the window counts, 0 where nothing is known of its label.
        """
        fit, labels, distil = self._fit, self._n_labels, self._recipe.distil
        known = torch.from_numpy(batch.targets >= 0)[:, None]
        y = functional.one_hot(torch.from_numpy(batch.targets).clamp_min(0), labels).float()
        y = known * (y * (1.0 - fit.label_smoothing) + fit.label_smoothing / labels)
        if batch.genres is not None and distil:
            y = y * (1.0 - distil.genres) + distil.genres * torch.from_numpy(batch.genres)
        parts = [y]
        if batch.taught:
            parts += [torch.from_numpy(batch.taught.embedding), torch.from_numpy(batch.taught.tags)]
        return torch.cat(parts, dim=1).to(self.device)

    def _loss(
        self, logits: Tensor, told: tuple[Tensor, Tensor] | None, wanted: Tensor
    ) -> tuple[Tensor, float]:
        y = wanted[:, : self._n_labels]
        weight = y.sum(dim=1)
        loss = -(y * functional.log_softmax(logits, dim=1)).sum() / weight.sum().clamp_min(1.0)
        hits = (logits.argmax(dim=1) == y.argmax(dim=1)) * weight
        distil = self._recipe.distil
        if told and distil:
            embedding, tags = told[0].float(), told[1].float()
            rest = wanted[:, self._n_labels :]
            wanted_embedding, wanted_tags = rest.split((embedding.shape[1], tags.shape[1]), dim=1)
            loss = loss + distil.embedding * functional.mse_loss(embedding, wanted_embedding)
            if tags.shape[1]:
                loss = loss + distil.tags * functional.binary_cross_entropy_with_logits(tags, wanted_tags)
        return loss, float(hits.sum() / weight.sum().clamp_min(1.0))

    def _follow(self, step: int) -> None:
        """Move the running mean; early on it forgets faster, so that it never lags behind by the start."""
        if not self._fit.ema:
            return
        keep = min(self._fit.ema, (1.0 + step) / (10.0 + step))
        for key, value in self.net.state_dict().items():
            if value.dtype.is_floating_point:
                self._mean[key].lerp_(value.detach(), 1.0 - keep)
            else:
                self._mean[key].copy_(value)

    def _parameters(self) -> dict[str, nn.Parameter]:
        named = {name: value for name, value in self.net.named_parameters() if value.requires_grad}
        if self._mimic:
            named |= {f"mimic.{key}": value for key, value in self._mimic.named_parameters()}
        return named


def pick_device(wanted: str) -> torch.device:
    """Give the device: `cuda` where it is there and wanted is `auto` or `cuda`.

    Raises:
        RunError: CUDA is asked for and not there.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise RunError(
            "CUDA was asked for and torch finds none", remedy="give --device cpu, or install torch for CUDA"
        )
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def _parameter_groups(named: dict[str, nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """L2 pulls at kernels; a batch norm's scale or a bias that it pulled at would only be in its way."""
    kernels = [p for p in named.values() if p.ndim > 1]
    others = [p for p in named.values() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _precision(wanted: str, device: torch.device) -> AbstractContextManager[object]:
    """Give the context of the layers' arithmetic: bfloat16 only where the hardware multiplies in it."""
    if wanted != "bf16":
        return nullcontext()
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_multiplies_in_bf16()
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def _cpu_multiplies_in_bf16() -> bool:
    """Ask torch, whose name for this is not public; elsewhere it is only slower to do without."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
