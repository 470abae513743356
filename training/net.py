"""The network: filters of timbre and rhythm, convolutions over time, pooling over the window.

(batch, n_frames, n_mels) log-mel frames -> `Filters` -> `Trunk` -> `Head` -> (batch, labels).

Its form is musicnn's (Pons and Serra 2019), read at coarser steps: some filters span many bands and
few frames and are heard at the pitch where they answer most, some span one band and many frames;
layers over time add to one another, and the mean and the maximum of all of them are kept. No layer
pads in time, and only the filters have a stride, so a step's features depend on nothing but its own
frames: windows that overlap by a multiple of the stride share them. Frames come levelled
(`FrontEnd.normalisation`), so the network doesn't hear how loud a station is.
"""

import math
from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.recipe import TAPS, NetRecipe

# musicnn's compression of mel power: log10(1 + 10000 * mel), of a record at this level.
REFERENCE_DBFS = -12.0
COMPRESSION = math.log(10_000.0) + REFERENCE_DBFS / 10.0 * math.log(10.0)


class Filters(nn.Module):
    """Filters of several sizes over frames and bands, each at the band where it answers most.

    (batch, n_frames, n_mels) levelled log-mel frames -> (batch, filters, steps). A step is `stride`
    frames; it is centred in the longest filter.

    Those over many bands are sums of a few patterns over time that all of them share, each spread
    over bands in its own way: a convolution over time, then one over bands, at three sevenths of
    the work of musicnn's own.
    """

    def __init__(self, recipe: NetRecipe) -> None:
        super().__init__()
        self.stride, self.longest = recipe.stride, recipe.longest
        self.patterns = nn.Conv2d(
            1, recipe.patterns, (recipe.wide_frames, 1), stride=(recipe.stride, 1), bias=False
        )
        self.wide = nn.ModuleList(
            nn.Conv2d(recipe.patterns, count, (1, bands)) for count, _, bands in recipe.wide
        )
        self.long = nn.ModuleList(
            nn.Conv2d(1, count, (frames, 1), stride=(recipe.stride, recipe.band_stride))
            for count, frames, _ in recipe.long
        )
        for parameter in self.parameters():
            parameter.requires_grad = not recipe.frozen_filters

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        # Not softplus: ONNX Runtime computes that one number at a time, three times slower.
        x = torch.log(1.0 + torch.exp(frames + COMPRESSION)).unsqueeze(1)
        patterns = self.patterns(self.centred(x, self.patterns.kernel_size[0]))
        found = [conv(patterns).amax(dim=3) for conv in self.wide]
        found += [conv(self.centred(x, conv.kernel_size[0])).amax(dim=3) for conv in self.long]
        return functional.relu(torch.cat(found, dim=1))

    def centred(self, x: Tensor, size: int) -> Tensor:
        """Give the frames that kernels of `size` frames see if each lies in the middle of its step.

        Counted from both ends, so that an exported graph takes any number of frames.

        Args:
            x: (batch, 1, n_frames, n_mels).
            size: at most that of the longest filter.
        """
        before = (self.longest - size) // 2
        return x[:, :, before : -(self.longest - size - before) or None]

    def pictures(self) -> list[Tensor]:
        """Give all filters of each size as (count, frames, bands)."""
        patterns = self.patterns.weight[:, 0, :, 0]
        wide = [torch.einsum("pt,cpb->ctb", patterns, conv.weight[:, :, 0]) for conv in self.wide]
        return [picture.detach() for picture in (*wide, *(conv.weight[:, 0] for conv in self.long))]


class OverTime(nn.Module):
    """A convolution of `TAPS` steps over time: (batch, steps, before) -> (batch, steps - TAPS + 1, after).

    As sums of matrix products; forward and backward take a third of `nn.Conv1d`'s time on a CPU.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(TAPS, before, after) * 0.5 / math.sqrt(TAPS * before))
        self.bias = nn.Parameter(torch.zeros(after))

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        steps = x.shape[1] - TAPS + 1
        out = x[:, :steps] @ self.weight[0]
        for tap in range(1, TAPS):
            out = out + x[:, tap : tap + steps] @ self.weight[tap]
        return out + self.bias


class Norm(nn.BatchNorm1d):
    """A batch norm of (batch, steps, features)."""

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return super().forward(x.flatten(0, 1)).view(x.shape)


class Layer(nn.Module):
    """A convolution over time, ReLU, batch norm: (batch, steps, before) -> (batch, steps - 2, after)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = OverTime(before, after)
        self.norm = Norm(after)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        found: Tensor = self.norm(functional.relu(self.conv(x)))
        return found


def through(layers: Iterable[nn.Module], x: Tensor, *, time: int) -> Tensor:
    """Send features through layers over time; from the second on a layer says what it adds.

    Args:
        layers: each sees `TAPS` steps and pads none.
        x: (batch, steps, features), or (batch, features, steps).
        time: the axis of the steps.

    Returns:
        `x` and what comes out of every layer, one after the other, at the steps that all have.
    """
    out = [x]
    for layer in layers:
        x = layer(x) + _inner(x, TAPS // 2, time) if len(out) > 1 else layer(x)
        out.append(x)
    shorter = reversed(range(len(out)))
    return torch.cat([_inner(y, n * (TAPS // 2), time) for n, y in zip(shorter, out, strict=True)], 3 - time)


def _inner(x: Tensor, steps: int, time: int) -> Tensor:
    """Leave out so many steps at both ends."""
    return x[(slice(None),) * time + (slice(steps, -steps or None),)]


class Trunk(nn.Module):
    """What the filters found to features: (batch, steps, filters) -> (batch, steps', features).

    Features are those of the filters and of every layer over time, at the steps that all have.
    """

    def __init__(self, recipe: NetRecipe) -> None:
        super().__init__()
        found = sum(count for count, _, _ in recipe.filters)
        widths = [found] + [recipe.channels] * recipe.layers
        self.norm = Norm(found)
        self.layers = nn.ModuleList(Layer(*pair) for pair in pairwise(widths))
        self.features = sum(widths)

    def forward(self, found: Tensor) -> Tensor:
        """See the class."""
        return through(self.layers, self.norm(found), time=1)


class Head(nn.Module):
    """Features of a window to logits: (batch, steps, features) -> (batch, labels)."""

    def __init__(self, recipe: NetRecipe, features: int, n_labels: int) -> None:
        super().__init__()
        self.dense = nn.Linear(2 * features, recipe.hidden, bias=False)
        self.norm = nn.BatchNorm1d(recipe.hidden)
        self.dropout = nn.Dropout(recipe.dropout)
        self.linear = nn.Linear(recipe.hidden, n_labels)

    def hidden(self, features: Tensor) -> Tensor:
        """Take (batch, steps, features); give (batch, hidden), of their mean and maximum."""
        pooled = torch.cat((features.mean(dim=1), features.amax(dim=1)), dim=1)
        return functional.relu(self.norm(self.dense(pooled)))

    def logits(self, hidden: Tensor) -> Tensor:
        """Take (batch, hidden); give (batch, labels)."""
        return self.linear(self.dropout(hidden))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        return self.logits(self.hidden(features))


class GenreNet(nn.Module):
    """The whole: (batch, n_frames, n_mels) -> (batch, labels) logits."""

    def __init__(self, recipe: NetRecipe, *, n_labels: int) -> None:
        super().__init__()
        self.filters = Filters(recipe)
        self.trunk = Trunk(recipe)
        self.head = Head(recipe, self.trunk.features, n_labels)

    def found(self, frames: Tensor) -> Tensor:
        """Give what the filters find, (batch, steps, filters)."""
        return self.filters(frames).transpose(1, 2)

    def hidden(self, found: Tensor) -> Tensor:
        """Take what the filters found; give what the head's last layer sees, (batch, hidden)."""
        return self.head.hidden(self.trunk(found))

    def pictures(self) -> list[Tensor]:
        """Give all filters of each size as (count, frames, bands)."""
        return self.filters.pictures()

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        return self.head.logits(self.hidden(self.found(frames)))
