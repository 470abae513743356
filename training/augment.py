"""What radio, rooms and players do to sound, done to log-mel windows: level, equaliser, band limit, pitch.

Frames are log(mel + offset), so an equaliser is an addition, floored at log(offset).
"""

import math

import torch
from torch import Tensor

from streamer.contract import FrontEnd
from training.recipe import AugmentRecipe

NEPER_PER_DB = math.log(10.0) / 10.0  # of power


class Augment:
    """Changes each window of a batch on its own.

    Args:
        recipe: how far.
        front_end: for the log offset.
    """

    def __init__(self, recipe: AugmentRecipe, front_end: FrontEnd) -> None:
        self._recipe = recipe
        self._floor = math.log(front_end.log_offset)

    def __call__(self, frames: Tensor, random: torch.Generator) -> Tensor:
        """Take (batch, n_frames, n_mels); give as much. `random` lives on the CPU."""
        recipe = self._recipe
        batch, _, bands = frames.shape
        if recipe.shift_bands:
            frames = self._shift(frames, random)
        change = self._equaliser(batch, bands, random).to(frames.device)
        # log(offset + (exp(frames) - offset) * exp(change)), without leaving the logarithm's range
        frames = torch.logaddexp(
            frames + change + torch.log1p(-(self._floor - frames).clamp_max(-1e-3).exp()),
            torch.full((), self._floor, device=frames.device),
        )
        if recipe.contrast:
            mean = frames.mean(dim=1, keepdim=True)
            swing = 1.0 + recipe.contrast * _uniform(batch, random)[:, :, None].to(frames.device)
            frames = (mean + swing * (frames - mean)).clamp_min(self._floor)
        for _ in range(recipe.masks):
            frames = _mask(frames, 1, recipe.mask_frames, random)
            frames = _mask(frames, 2, recipe.mask_bands, random)
        return frames

    def _shift(self, frames: Tensor, random: torch.Generator) -> Tensor:
        """Move all bands up or down by a whole number; the edge repeats."""
        batch, count, bands = frames.shape
        most = self._recipe.shift_bands
        by = torch.randint(-most, most + 1, (batch, 1), generator=random)
        source = (torch.arange(bands) + by).clamp(0, bands - 1).to(frames.device)
        return frames.gather(2, source[:, None, :].expand(batch, count, bands))

    def _equaliser(self, batch: int, bands: int, random: torch.Generator) -> Tensor:
        """Give (batch, 1, bands) to add to the logarithm of the power."""
        recipe = self._recipe
        place = torch.linspace(-0.5, 0.5, bands)
        gain_db = _uniform(batch, random) * recipe.gain_db
        tilt_db = _uniform(batch, random) * recipe.tilt_db * place
        waves = torch.arange(1, 4)[:, None]  # up to one and a half ripples over the whole range
        phases = torch.rand((batch, 3, 1), generator=random) * 2.0 * math.pi
        sizes = torch.randn((batch, 3, 1), generator=random) * recipe.curve_db / 3**0.5
        curve_db = (sizes * torch.cos(math.pi * waves * (place + 0.5) + phases)).sum(dim=1)
        lost = torch.rand((batch, 1), generator=random) < recipe.low_pass
        edge = 0.5 * torch.rand((batch, 1), generator=random)
        lost_db = lost * 600.0 * (place - edge).clamp_min(0.0)  # 60 dB over a tenth of the range
        return ((gain_db + tilt_db + curve_db - lost_db) * NEPER_PER_DB)[:, None, :]


def mixup(frames: Tensor, targets: Tensor, share: float, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mix a share of the windows, and their (batch, labels) targets, with others of the batch.

    Zhang et al. 2018; the weight is uniform in 0.5 to 1, so that a window keeps most of its own.
    """
    batch = len(frames)
    chosen = torch.rand(batch, generator=random) < share
    own = torch.where(chosen, 0.5 + 0.5 * torch.rand(batch, generator=random), torch.ones(batch))
    other = torch.randperm(batch, generator=random).to(frames.device)
    own = own.to(frames.device)
    mixed = frames * own[:, None, None] + frames[other] * (1.0 - own[:, None, None])
    return mixed, targets * own[:, None] + targets[other] * (1.0 - own[:, None])


def _uniform(batch: int, random: torch.Generator) -> Tensor:
    return torch.rand((batch, 1), generator=random) * 2.0 - 1.0


def _mask(frames: Tensor, axis: int, longest: int, random: torch.Generator) -> Tensor:
    """Overwrite a random stretch of one axis with the window's mean (SpecAugment, Park et al. 2019)."""
    batch, size = len(frames), frames.shape[axis]
    length = torch.rand((batch, 1), generator=random) * longest
    start = torch.rand((batch, 1), generator=random) * (size - length)
    place = torch.arange(size)
    inside = (place >= start) & (place < start + length)
    inside = inside[:, :, None] if axis == 1 else inside[:, None, :]
    return torch.where(inside.to(frames.device), frames.mean(dim=(1, 2), keepdim=True), frames)
