"""The network: timbre and rhythm filters, convolutions over time, pooling over the window.

(batch, n_frames, n_mels) log-mel frames -> `Trunk` -> (batch, features, steps) -> `Head` -> (batch, labels).

The filters are musicnn's (Pons and Serra 2019): some span many bands and few frames and are heard
at the pitch where they answer most, some span one band and many frames. No layer pads in time, and
only the filters have a stride, so a step's features depend on nothing but its own frames: windows
that overlap by a multiple of the stride share them. Frames come levelled (`FrontEnd.normalisation`),
so the network doesn't hear how loud a station is.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.recipe import NetRecipe

# musicnn's compression of mel power: log10(1 + 10000 * mel), of a record at this level.
REFERENCE_DBFS = -20.0
COMPRESSION = math.log(10_000.0) + REFERENCE_DBFS / 10.0 * math.log(10.0)


class TimeConv(nn.Conv1d):
    """A convolution over time, done as one matrix product.

    It gives what `nn.Conv1d` gives; forward and backward take half as long on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Take (batch, in, steps); give (batch, out, steps')."""
        length = self.kernel_size[0]
        windows = x.transpose(1, 2).unfold(1, length, 1).flatten(2)
        return functional.linear(windows, self.weight.flatten(1), self.bias).transpose(1, 2)


class Filters(nn.Module):
    """Filters of several sizes over frames and bands, each at the band where it answers most.

    (batch, n_frames, n_mels) levelled log-mel frames -> (batch, filters, steps). A step is `stride`
    frames; it is centred in the longest filter.
    """

    def __init__(self, recipe: NetRecipe) -> None:
        super().__init__()
        self.stride, self.longest = recipe.stride, max(frames for _, frames, _ in recipe.filters)
        self.frozen = recipe.frozen_filters
        self.convs = nn.ModuleList(
            nn.Conv2d(1, count, (frames, bands), stride=(recipe.stride, recipe.band_stride))
            for count, frames, bands in recipe.filters
        )
        for parameter in self.parameters():
            parameter.requires_grad = not self.frozen

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        # Not softplus: ONNX Runtime computes that one number at a time, three times slower.
        x = torch.log(1.0 + torch.exp(frames + COMPRESSION)).unsqueeze(1)
        steps = (frames.shape[1] - self.longest) // self.stride + 1
        out = []
        for conv in self.convs:
            before = (self.longest - conv.kernel_size[0]) // 2
            last = before + (steps - 1) * self.stride + conv.kernel_size[0]
            out.append(conv(x[:, :, before:last]).amax(dim=3))
        return functional.relu(torch.cat(out, dim=1))


class Trunk(nn.Module):
    """Frames to features: (batch, n_frames, n_mels) -> (batch, features, steps).

    Features are those of the filters and of every layer over time, at the steps that all have.
    """

    def __init__(self, recipe: NetRecipe) -> None:
        super().__init__()
        self.filters = Filters(recipe)
        widths = [sum(count for count, _, _ in recipe.filters), *recipe.channels]
        self.norm = nn.BatchNorm1d(widths[0])
        self.layers = nn.ModuleList(
            nn.Sequential(TimeConv(before, after, 3, bias=False), nn.BatchNorm1d(after), nn.ReLU())
            for before, after in zip(widths, recipe.channels, strict=False)
        )
        self.features = sum(widths)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.filters.frozen):
            found = self.filters(frames)
        x = self.norm(found)
        out = [x]
        for layer in self.layers:
            x = layer(x)
            out = [*(y[:, :, 1:-1] for y in out), x]
        return torch.cat(out, dim=1)


class Head(nn.Module):
    """Features of a window to logits: (batch, features, steps) -> (batch, labels)."""

    def __init__(self, recipe: NetRecipe, features: int, n_labels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * features, recipe.hidden, bias=False)
        self.norm = nn.BatchNorm1d(recipe.hidden)
        self.dropout = nn.Dropout(recipe.dropout)
        self.linear = nn.Linear(recipe.hidden, n_labels)

    def hidden(self, features: Tensor) -> Tensor:
        """Take (batch, features, steps); give (batch, hidden), of their mean and maximum."""
        pooled = torch.cat((features.mean(dim=2), features.amax(dim=2)), dim=1)
        return functional.relu(self.norm(self.dense(pooled)))

    def logits(self, hidden: Tensor) -> Tensor:
        """Take (batch, hidden); give (batch, labels)."""
        return self.linear(self.dropout(hidden))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        return self.logits(self.hidden(features))


class GenreNet(nn.Module):
    """Trunk and head in one: (batch, n_frames, n_mels) -> (batch, labels) logits."""

    def __init__(self, recipe: NetRecipe, *, n_labels: int) -> None:
        super().__init__()
        self.trunk = Trunk(recipe)
        self.head = Head(recipe, self.trunk.features, n_labels)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        return self.head(self.trunk(frames))

    def hidden(self, frames: Tensor) -> Tensor:
        """Give what the head's last layer sees, (batch, hidden)."""
        return self.head.hidden(self.trunk(frames))
