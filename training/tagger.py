"""The dearer network: the teacher itself, and a linear head on what it says.

(batch, n_frames, n_mels) levelled log-mel frames -> (batch, labels). It is musicnn (Pons and Serra
2019) as it was published, frame by frame and padded in time, without its dead filters. Nothing in
it is trained but the head, which is `training.assistant`'s logistic regression, so a "training"
is one fit of a minute. It is asked, evaluated, tuned and exported as `training.net.GenreNet` is.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from training.errors import DataError
from training.net import COMPRESSION
from training.recipe import NetRecipe

FRAMES = 187
"""Frames that the teacher hears; a window's edges beyond them are left out."""
SPAN = 7
"""Frames that its layers over time see."""
EPSILON = 1e-3
"""Of its batch norms."""


class TaggerNet(nn.Module):
    """Musicnn and a linear head; see the module.

    Args:
        recipe: its sizes: filters in musicnn's order, `channels`, `layers`, `hidden`.
        n_labels: outputs.
    """

    def __init__(self, recipe: NetRecipe, *, n_labels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, eps=EPSILON)
        self.filters = nn.ModuleList(
            nn.Conv2d(1, count, (frames, bands)) for count, frames, bands in recipe.filters
        )
        self.filter_norms = nn.ModuleList(
            nn.BatchNorm1d(count, eps=EPSILON) for count, _, _ in recipe.filters
        )
        found = sum(count for count, _, _ in recipe.filters)
        widths = [found] + [recipe.channels] * recipe.layers
        self.layers = nn.ModuleList(
            nn.Conv1d(before, recipe.channels, SPAN, padding=SPAN // 2) for before in widths[:-1]
        )
        self.layer_norms = nn.ModuleList(nn.BatchNorm1d(width, eps=EPSILON) for width in widths[1:])
        self.pooled_norm = nn.BatchNorm1d(2 * sum(widths), eps=EPSILON)
        self.dense = nn.Linear(2 * sum(widths), recipe.hidden)
        self.dense_norm = nn.BatchNorm1d(recipe.hidden, eps=EPSILON)
        self.tags = nn.Linear(recipe.hidden, recipe.tags)
        self.head = nn.Linear(recipe.hidden + 2 * sum(widths) + recipe.tags, n_labels)

    def says(self, frames: Tensor) -> Tensor:
        """Give (batch, d): penultimate, means, maxima and tags, in the order of the soft labels."""
        first = (frames.shape[1] - FRAMES) // 2
        x = torch.log(1.0 + torch.exp(frames[:, first : first + FRAMES] + COMPRESSION)) / np.log(10.0)
        x = self.norm(x.unsqueeze(1))
        found = []
        for conv, norm in zip(self.filters, self.filter_norms, strict=True):
            size = conv.kernel_size[0]
            padded = functional.pad(x, (0, 0, (size - 1) // 2, size // 2))
            answers = functional.relu(conv(padded))
            # A norm with a falling scale makes the least answer the greatest, so it comes before the maximum.
            found.append(norm(answers.flatten(2)).view(answers.shape).amax(dim=3))
        out = [torch.cat(found, dim=1)]
        for number, (conv, norm) in enumerate(zip(self.layers, self.layer_norms, strict=True)):
            y = norm(functional.relu(conv(out[-1])))
            out.append(y + out[-1] if number else y)
        features = torch.cat(out, dim=1)
        maxima, means = features.amax(dim=2), features.mean(dim=2)
        pooled = self.pooled_norm(torch.stack((maxima, means), dim=2).flatten(1))
        penultimate = self.dense_norm(functional.relu(self.dense(pooled)))
        return torch.cat((penultimate, means, maxima, torch.sigmoid(self.tags(penultimate))), dim=1)

    def pictures(self) -> list[Tensor]:
        """Give all filters of each size as (count, frames, bands)."""
        return [conv.weight.detach()[:, 0] for conv in self.filters]

    def forward(self, frames: Tensor) -> Tensor:
        """See the class."""
        logits: Tensor = self.head(self.says(frames))
        return logits


def read_tagger(net: TaggerNet, teacher: Path) -> None:
    """Take over everything but the head from musicnn's ONNX file.

    Raises:
        DataError: it can't be read, or has not the recipe's sizes.
    """
    try:
        tensors = {item.name: numpy_helper.to_array(item) for item in onnx.load(teacher).graph.initializer}
        _take(net.norm, tensors, "bn0")
        for i, (conv, norm) in enumerate(zip(net.filters, net.filter_norms, strict=True)):
            _take(conv, tensors, f"front.{i}")
            _take(norm, tensors, f"front_bn.{i}")
        for i, (conv, norm) in enumerate(zip(net.layers, net.layer_norms, strict=True)):
            weight = tensors[f"mid.{i}.weight"][:, 0].transpose(0, 2, 1)
            _take(conv, tensors | {f"mid.{i}.weight": weight}, f"mid.{i}")
            _take(norm, tensors, f"mid_bn.{i}")
        for layer, name in (
            (net.pooled_norm, "bn_flat"), (net.dense, "d0"), (net.dense_norm, "bn_pen"), (net.tags, "d1"),
        ):  # fmt: skip
            _take(layer, tensors, name)
    except Exception as error:  # protobuf's classes differ from version to version
        raise DataError(
            f"{teacher}: no teacher of this recipe: {error}",
            remedy="give musicnn's ONNX file, and a recipe with its sizes, as 'accurate' has them",
        ) from error
    net.eval()


def _take(layer: nn.Module, tensors: dict[str, NDArray[np.float32]], name: str) -> None:
    """Take the parameters and running statistics of a layer."""
    with torch.no_grad():
        for key, value in layer.state_dict().items():
            if key != "num_batches_tracked":
                value.copy_(torch.from_numpy(tensors[f"{name}.{key}"].copy()))
