"""What learns in a run: the network, what imitates the teacher, the optimiser, the running mean of weights.

Cross-entropy, with a decay of kernels; with a teacher also the squared error
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

from streamer.flow import Frames
from training.augment import Augment, mixup
from training.batches import Batch
from training.checkpoint import part_of, snapshot, standing
from training.errors import RunError
from training.net import GenreNet
from training.recipe import FitRecipe, Recipe

_STATE = "optimiser."


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
        self._mimic_mean = snapshot(self._mimic) if self._mimic else {}
        self._optimiser = _optimiser(self._fit, self._parameters())

    def begin_from(self, tensors: dict[str, Tensor]) -> None:
        """Take what fits of another run's checkpoint; a layer of other labels begins anew."""
        own = self.net.state_dict()
        given = standing(tensors)
        fits = {key: value for key, value in given.items() if key in own and own[key].shape == value.shape}
        if not any(key.startswith("trunk.layers.") for key in fits):
            raise RunError(
                "its trunk has other shapes than the recipe's", remedy="begin from a run of its widths"
            )
        self.net.load_state_dict(fits, strict=False)
        if self._mimic and all(
            tensors.get(f"mimic.{key}", value).shape == value.shape
            for key, value in self._mimic.state_dict().items()
        ):
            self._mimic.load_state_dict(part_of(tensors, "mimic."), strict=False)
            self._mimic_mean = snapshot(self._mimic)
        self._mean = snapshot(self.net)

    def begin_as(self, teacher: Path) -> None:
        """Begin as a teacher; see `training.inherit`."""
        from training.inherit import inherit  # brings onnx

        inherit(self.net, self._recipe.net, teacher)
        self._mean = snapshot(self.net)

    def found(self, frames: Frames) -> Frames:
        """Give what the filters find now in (n, n_frames, n_mels), (n, steps, filters)."""
        with torch.inference_mode():
            return self.net.found(torch.from_numpy(frames).to(self.device)).cpu().numpy()

    def tensors(self) -> dict[str, Tensor]:
        """Give all that a checkpoint must hold."""
        out = {f"net.{key}": value for key, value in self.net.state_dict().items()}
        if self._fit.ema:
            out |= {f"ema.{key}": value for key, value in self._mean.items()}
            out |= {f"mimic_ema.{key}": value for key, value in self._mimic_mean.items()}
        if self._mimic:
            out |= {f"mimic.{key}": value for key, value in self._mimic.state_dict().items()}
        for name, parameter in self._parameters().items():
            for key, value in self._optimiser.state[parameter].items():
                out[f"{_STATE}{key}.{name}"] = value
        return out

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go on from a checkpoint of this run."""
        self.net.load_state_dict(part_of(tensors, "net."))
        self._mean = part_of(tensors, "ema.")
        self._mimic_mean = part_of(tensors, "mimic_ema.")
        if self._mimic:
            self._mimic.load_state_dict(part_of(tensors, "mimic."))
        known = self._parameters()
        for place, value in tensors.items():
            if place.startswith(_STATE):
                key, _, name = place.removeprefix(_STATE).partition(".")
                parameter = known[name]
                like = torch.empty_like(parameter.detach() if value.ndim else value)
                self._optimiser.state[parameter][key] = like.copy_(value)

    def evaluated(self) -> GenreNet:
        """Give the network that is asked and exported: of the running mean of weights, where there is one."""
        if not self._fit.ema:
            return self.net.eval()
        mean = GenreNet(self._recipe.net, n_labels=self._n_labels)
        mean.load_state_dict(self._mean)
        return mean.to(self.device).eval()

    def mimic(self) -> Mimic:
        """Give what imitates the teacher, as `evaluated` gives the network."""
        if not self._mimic:
            raise ValueError("there is no teacher")
        if not self._fit.ema:
            return self._mimic
        mean = Mimic(
            self._recipe.net.hidden, self._mimic.embedding.out_features, self._mimic.tags.out_features
        )
        mean.load_state_dict(self._mimic_mean)
        return mean.to(self.device)

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
        x = torch.from_numpy(batch.frames).to(self.device)
        if not batch.found:
            x = self._augment(x, random)
        x, y = mixup(x, self._wanted(batch), self._fit.mixup, random)
        self.net.train()
        self._optimiser.zero_grad(set_to_none=True)
        with _precision(self._fit.precision, self.device):
            hidden = self.net.hidden(x if batch.found else self.net.found(x))
            logits = self.net.head.logits(hidden).float()
            told = self._mimic(hidden) if self._mimic else None
        loss, accuracy = self._loss(logits, told, y)
        loss.backward()
        if self._fit.clip:
            nn.utils.clip_grad_norm_(self._parameters().values(), self._fit.clip)
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
        for mean, module in ((self._mean, self.net), (self._mimic_mean, self._mimic)):
            for key, value in module.state_dict().items() if module else ():
                if value.dtype.is_floating_point:
                    mean[key].lerp_(value.detach(), 1.0 - keep)
                else:
                    mean[key].copy_(value)

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


def _optimiser(fit: FitRecipe, named: dict[str, nn.Parameter]) -> torch.optim.Optimizer:
    """Make one; it pulls at kernels, a batch norm's scale or a bias that it pulled at would be in its way."""
    kernels = [p for p in named.values() if p.ndim > 1]
    others = [p for p in named.values() if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": fit.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if fit.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=fit.rate)
    return torch.optim.SGD(groups, lr=fit.rate, momentum=fit.momentum, nesterov=True)


def _precision(wanted: str, device: torch.device) -> AbstractContextManager[object]:
    """Give the context of the layers' arithmetic: bfloat16 only where the hardware multiplies in it."""
    if wanted != "bf16":
        return nullcontext()
    able = torch.cuda.is_bf16_supported() if device.type == "cuda" else _cpu_multiplies_in_bf16()
    return torch.autocast(device.type, torch.bfloat16, enabled=able)


def _cpu_multiplies_in_bf16() -> bool:
    """Ask torch, whose name for this is not public; elsewhere it is only slower to do without."""
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())
