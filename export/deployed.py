"""A trained network in the form that runs fastest: everything a convolution, calibration at the end.

ONNX Runtime keeps `BLOCK` channels together and passes over the data once more wherever they don't
fill their blocks, or where a layer is none that it has in blocks. So what the filters find is filled
up with channels of nothing, maxima over bands are poolings, norms and layers over time are
convolutions of pictures. The answers are the network's own (`export verify`).
"""

import copy
import math
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_linear_bn_eval

from training.net import COMPRESSION, Filters, GenreNet, Layer, through
from training.tagger import TaggerNet

BLOCK = 8


class DeployedFilters(nn.Module):
    """`Filters` and the norm behind them: (batch, frames, n_mels) -> (batch, channels, steps)."""

    def __init__(self, filters: Filters, norm: nn.BatchNorm1d) -> None:
        super().__init__()
        self.centred = filters.centred
        self.patterns = _raised(filters.patterns)
        self.wide = nn.ModuleList(_filled(conv) for conv in filters.wide)  # of patterns: these are raised
        self.long = nn.ModuleList(_filled(_raised(conv)) for conv in filters.long)
        self.long_frames = [conv.kernel_size[0] for conv in filters.long]
        self.norm = _picking([conv.out_channels for conv in (*filters.wide, *filters.long)], norm)

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        # log(1 + exp(frames + c)) less c, which the weights behind it make up for.
        x = torch.log(math.exp(-COMPRESSION) + torch.exp(frames)).unsqueeze(1)
        patterns = self.patterns(self.centred(x, self.patterns.kernel_size[0]))
        found = [conv(patterns) for conv in self.wide]
        found += [conv(self.centred(x, size)) for conv, size in zip(self.long, self.long_frames, strict=True)]
        strongest = [functional.max_pool2d(functional.relu(y), (1, y.shape[3])) for y in found]
        picked: Tensor = self.norm(torch.cat(strongest, dim=1)).squeeze(3)
        return picked


class DeployedLayer(nn.Module):
    """A `Layer` with its steps last: (batch, before, steps) -> (batch, after, steps - 2)."""

    def __init__(self, layer: Layer, before: int) -> None:
        super().__init__()
        taps, known, after = layer.conv.weight.shape
        weight = layer.conv.weight.permute(2, 1, 0).unsqueeze(2)
        weight = functional.pad(weight, (0, 0, 0, 0, 0, before - known))
        self.conv = _with(nn.Conv2d(before, after, (1, taps)), weight, layer.conv.bias)
        scale, shift = _scale(layer.norm)
        self.norm = _with(nn.Conv2d(after, after, 1, groups=after), scale[:, None, None, None], shift)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        y: Tensor = self.norm(functional.relu(self.conv(x.unsqueeze(2)))).squeeze(2)
        return y


class Deployed(nn.Module):
    """The student as it is shipped: channels before steps, softmax of the logits over a temperature."""

    def __init__(self, net: GenreNet, temperature: float) -> None:
        super().__init__()
        found = net.trunk.norm.num_features
        self.filters = DeployedFilters(net.filters, net.trunk.norm)
        befores = [_full(found), *(layer.conv.weight.shape[1] for layer in net.trunk.layers[1:])]
        self.layers = nn.ModuleList(map(DeployedLayer, net.trunk.layers, befores))
        head = copy.deepcopy(net.head)
        self.dense, self.linear = fuse_linear_bn_eval(head.dense, head.norm), head.linear
        # (hidden, features of the mean, then those of the maximum): nothing is made of nothing.
        parts = torch.split(self.dense.weight.detach(), [found, net.trunk.features - found] * 2, dim=1)
        filled = [functional.pad(part, (0, _full(found) - found)) for part in parts[::2]]
        weight = torch.cat((filled[0], parts[1], filled[1], parts[3]), dim=1)
        self.dense.weight = nn.Parameter(weight, requires_grad=False)
        self.temperature = temperature

    def forward(self, frames: Tensor) -> Tensor:
        """Take (batch, frames, n_mels) frames; give (batch, n_labels) probabilities."""
        features = through(self.layers, self.filters(frames), time=2)
        pooled = torch.cat((features.mean(dim=2), features.amax(dim=2)), dim=1)
        logits: Tensor = self.linear(functional.relu(self.dense(pooled)))
        return torch.softmax(logits / self.temperature, dim=1)


class DeployedTagger(nn.Module):
    """The teacher with its head as it is shipped: softmax of the logits over a temperature."""

    def __init__(self, net: TaggerNet, temperature: float) -> None:
        super().__init__()
        self.net, self.temperature = net, temperature

    def forward(self, frames: Tensor) -> Tensor:
        """Take (batch, n_frames, n_mels) frames; give (batch, n_labels) probabilities."""
        return torch.softmax(self.net(frames) / self.temperature, dim=1)


def _full(channels: int) -> int:
    """Give how many channels as many blocks have, the last one full."""
    return channels + -channels % BLOCK


def _with(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> nn.Conv2d:
    """Give a convolution its weights."""
    conv.weight = nn.Parameter(weight.detach().contiguous(), requires_grad=False)
    conv.bias = nn.Parameter(bias.detach().clone(), requires_grad=False)
    return conv


def _raised(conv: nn.Conv2d) -> nn.Conv2d:
    """Give a convolution that answers to x - `COMPRESSION` as this one does to x."""
    missing = COMPRESSION * conv.weight.double().sum(dim=(1, 2, 3)).float()
    bias = missing if conv.bias is None else conv.bias + missing
    return _with(copy.deepcopy(conv), conv.weight, bias)


def _filled(conv: nn.Conv2d) -> nn.Conv2d:
    """Give a convolution with as many channels of nothing as fill its last block."""
    filled = copy.deepcopy(conv)
    filled.out_channels = _full(conv.out_channels)
    more = filled.out_channels - conv.out_channels
    bias = torch.zeros(0) if conv.bias is None else conv.bias
    weight = functional.pad(conv.weight, (0, 0, 0, 0, 0, 0, 0, more))
    return _with(filled, weight, functional.pad(bias, (0, filled.out_channels - len(bias))))


def _picking(counts: Sequence[int], norm: nn.BatchNorm1d) -> nn.Conv2d:
    """Give a norm of the channels that are something, of groups that were filled one by one."""
    begins = accumulate(map(_full, counts), initial=0)
    real = [begin + at for begin, count in zip(begins, counts, strict=False) for at in range(count)]
    conv = nn.Conv2d(sum(map(_full, counts)), _full(len(real)), 1)
    scale, shift = _scale(norm)
    weight = torch.zeros_like(conv.weight)
    weight[range(len(real)), real, 0, 0] = scale
    return _with(conv, weight, functional.pad(shift, (0, conv.out_channels - len(real))))


def _scale(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Give a batch norm that learns no more as a factor and what is added then, (channels,) each."""
    found = norm.state_dict()
    scale = found["weight"] / torch.sqrt(found["running_var"] + norm.eps)
    return scale, found["bias"] - found["running_mean"] * scale
