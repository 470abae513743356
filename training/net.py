"""The network: valid convolutions over time, then pooling over the window, so that overlap can be free.

(batch, n_frames, n_mels) log-mel frames -> `Trunk` -> (batch, features, steps) -> `Head` -> (batch, labels).

No layer of the trunk pads in time, and only the first has a stride (5 frames), so a step's
features depend on nothing but its own frames: windows that overlap by a multiple of 5 frames
share them. A gain adds a constant to log-mel frames; the first kernels sum to zero, so the
network can't hear the level at all (down to the log offset).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.recipe import NetRecipe

STRIDE = 5
"""Frames from one step of the trunk to the next."""


class ZeroSumConv(nn.Conv2d):
    """A convolution whose kernels sum to zero: what is added to the whole input is not seen."""

    def kernel(self) -> Tensor:
        """Give the kernels as they are applied, (out, in, time, bands)."""
        return self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)

    def forward(self, x: Tensor) -> Tensor:
        """Take (batch, 1, frames, bands); give (batch, out, steps, bands')."""
        return functional.conv2d(x, self.kernel(), self.bias, self.stride)


class TimeConv(nn.Conv2d):
    """A convolution over time whose kernel spans all bands, done as one matrix product.

    It gives what `nn.Conv2d` gives; forward and backward take half as long on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Take (batch, in, steps, bands); give (batch, out, steps', 1)."""
        batch, _, steps, bands = x.shape
        length = self.kernel_size[0]
        rows = x.permute(0, 2, 3, 1).reshape(batch, steps, bands * self.in_channels)
        windows = rows.unfold(1, length, 1).transpose(2, 3).reshape(-1, length * rows.shape[2])
        kernel = self.weight.permute(0, 2, 3, 1).reshape(self.out_channels, -1)
        out = functional.linear(windows, kernel, self.bias)
        return out.view(batch, -1, 1, self.out_channels).permute(0, 3, 1, 2)


class Trunk(nn.Module):
    """Frames to features: (batch, n_frames, n_mels) -> (batch, features, steps)."""

    def __init__(self, recipe: NetRecipe, n_mels: int) -> None:
        super().__init__()
        first, second, third = recipe.channels
        bands = [(n_mels - 9) // 2 + 1]
        bands.append((bands[0] - 2) // 2)
        bands.append((bands[1] - 2) // 3)
        self.layers = nn.Sequential(
            ZeroSumConv(1, first, (8, 9), stride=(STRIDE, 2), bias=False),
            *_normed(first),
            nn.Conv2d(first, second, (3, 3), bias=False),
            *_normed(second),
            nn.MaxPool2d((1, 2)),
            nn.Conv2d(second, third, (3, 3), bias=False),
            *_normed(third),
            nn.MaxPool2d((1, 3)),
            TimeConv(third, recipe.features, (3, bands[2]), bias=False),
            *_normed(recipe.features),
            TimeConv(recipe.features, recipe.features, (3, 1), bias=False),
            *_normed(recipe.features),
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        return self.layers(frames.unsqueeze(1)).squeeze(3)


class Head(nn.Module):
    """Features of a window to logits: (batch, features, steps) -> (batch, labels)."""

    def __init__(self, recipe: NetRecipe, n_labels: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(recipe.dropout)
        self.linear = nn.Linear(2 * recipe.features, n_labels)

    def pool(self, features: Tensor) -> Tensor:
        """Take (batch, features, steps); give their mean and maximum, (batch, 2 * features)."""
        return torch.cat((features.mean(dim=2), features.amax(dim=2)), dim=1)

    def logits(self, pooled: Tensor) -> Tensor:
        """Take (batch, 2 * features); give (batch, labels)."""
        return self.linear(self.dropout(pooled))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        return self.logits(self.pool(features))


class GenreNet(nn.Module):
    """Trunk and head in one: (batch, n_frames, n_mels) -> (batch, labels) logits."""

    def __init__(self, recipe: NetRecipe, *, n_mels: int, n_labels: int) -> None:
        super().__init__()
        self.trunk = Trunk(recipe, n_mels)
        self.head = Head(recipe, n_labels)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        return self.head(self.trunk(frames))

    def pooled(self, frames: Tensor) -> Tensor:
        """Give what the head's linear layer sees, (batch, 2 * features)."""
        return self.head.pool(self.trunk(frames))


def _normed(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU()
