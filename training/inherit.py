"""A network that begins as its teacher: musicnn's filters and layers, read at the network's coarser steps.

musicnn (Pons and Serra 2019) hears every frame; its layers over time see seven of them. Here a step
is several frames and a layer sees `TAPS` steps, so its weights are spread over the steps as if what
happens between two of them lay on a straight line. What musicnn has and the network hasn't (its
longest filters) is left out, and channels beyond musicnn's begin at random. It is a beginning:
the filters may stay as they are, the rest is to be trained.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor

from training.errors import DataError
from training.net import Filters, GenreNet, Layer, Norm
from training.recipe import TAPS, NetRecipe

FRONT = 5
"""musicnn's kinds of filters."""
EPSILON = 1e-3
"""Of its batch norms."""
NEIGHBOURS = 0.9
"""How alike two neighbouring frames of a band are in music: measured 0.88, and slower to fall off later."""
Tensors = dict[str, NDArray[np.float32]]


def inherit(net: GenreNet, recipe: NetRecipe, teacher: Path) -> None:
    """Let a network begin as its teacher.

    Args:
        net: its weights are overwritten.
        recipe: that it was made by.
        teacher: musicnn's ONNX file.

    Raises:
        DataError: it can't be read, or has not the recipe's sizes.
    """
    try:
        tensors = {item.name: numpy_helper.to_array(item) for item in onnx.load(teacher).graph.initializer}
        kinds = _kinds(tensors, recipe)
        _take_filters(net.filters, tensors, kinds)
        kept = [at for kind in kinds for at in _channels(tensors, kind)]
        norms = [_norm(tensors, f"front_bn.{kind}") for kind in kinds]
        _take_norm(net.trunk.norm, [torch.cat(parts) for parts in zip(*norms, strict=True)])
        for number, layer in enumerate(net.trunk.layers):
            _take_layer(layer, tensors, number, recipe.stride, None if number else kept)
    except Exception as error:  # protobuf's classes differ from version to version
        raise DataError(
            f"{teacher}: no teacher to begin as: {error}",
            remedy="give musicnn's ONNX file, and a recipe with net.filters of its sizes and its 3 layers",
        ) from error


def _kinds(tensors: Tensors, recipe: NetRecipe) -> list[int]:
    """Give which of musicnn's kinds of filters the recipe's are."""
    sizes = {
        (len(tensors[f"front.{i}.weight"]), *tensors[f"front.{i}.weight"].shape[2:]): i for i in range(FRONT)
    }
    missing = [size for size in recipe.filters if size not in sizes]
    if missing:
        raise ValueError(f"no {missing[0][0]} filters of {missing[0][1]} frames and {missing[0][2]} bands")
    return [sizes[size] for size in (*recipe.wide, *recipe.long)]


def _channels(tensors: Tensors, kind: int) -> range:
    """Give which channels of musicnn's first layer over time are of a kind."""
    counts = [len(tensors[f"front.{i}.weight"]) for i in range(FRONT)]
    return range(sum(counts[:kind]), sum(counts[: kind + 1]))


def _take_filters(filters: Filters, tensors: Tensors, kinds: list[int]) -> None:
    # musicnn's first batch norm is of log10(1 + 10000 mel), ours are of ln: both go into the weights.
    scale, shift, mean, variance = (
        float(tensors[f"bn0.{key}"][0]) for key in ("weight", "bias", "running_mean", "running_var")
    )
    factor = scale / np.sqrt(variance + EPSILON)
    offset = shift - factor * mean
    pictures = []
    for kind, conv in zip(kinds, (*filters.wide, *filters.long), strict=True):
        weight, bias = tensors[f"front.{kind}.weight"], tensors[f"front.{kind}.bias"]
        pictures.append((weight[:, 0] * factor / np.log(10.0)).astype(np.float64))
        _copy(conv.bias, bias + offset * weight.sum(axis=(1, 2, 3)))
    wide, long = pictures[: len(filters.wide)], pictures[len(filters.wide) :]
    patterns, spreads = _shared_patterns(wide, filters.patterns.out_channels)
    _copy(filters.patterns.weight, patterns[:, None, :, None])
    for conv, spread in zip(filters.wide, spreads, strict=True):
        _copy(conv.weight, spread[:, :, None, :])
    for conv, picture in zip(filters.long, long, strict=True):
        _copy(conv.weight, picture[:, None])


def _shared_patterns(
    pictures: list[NDArray[np.float64]], rank: int
) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Give the patterns over time that come closest to all filters, and each one's part in them.

    The singular vectors of all filters after frames were made as independent as white noise: what
    counts is the error of the filters' answers to music, whose neighbouring frames are alike,
    not that of their weights. Of musicnn's, three patterns keep 98% of the answers' variance.

    Args:
        pictures: (count, frames, bands) filters.
        rank: how many patterns.

    Returns:
        (rank, frames) patterns, and for each of `pictures` the (count, rank, bands) of it.
    """
    rows = np.concatenate([picture.transpose(0, 2, 1).reshape(-1, picture.shape[1]) for picture in pictures])
    apart = np.abs(np.subtract.outer(np.arange(rows.shape[1]), np.arange(rows.shape[1])))
    spread, directions = np.linalg.eigh(NEIGHBOURS**apart)
    colour = directions * np.sqrt(spread) @ directions.T
    left, sizes, right = np.linalg.svd(rows @ colour, full_matrices=False)
    patterns = right[:rank] @ np.linalg.inv(colour)
    mixed = np.split(
        left[:, :rank] * sizes[:rank], np.cumsum([p.shape[0] * p.shape[2] for p in pictures])[:-1]
    )
    parts = [
        part.reshape(picture.shape[0], picture.shape[2], rank).transpose(0, 2, 1)
        for part, picture in zip(mixed, pictures, strict=True)
    ]
    return patterns, parts


def _take_layer(layer: Layer, tensors: Tensors, number: int, stride: int, kept: list[int] | None) -> None:
    """Take a layer over time; channels beyond the teacher's stay random, and don't disturb its own."""
    weight = tensors[f"mid.{number}.weight"][:, 0].transpose(1, 2, 0)  # frames, before, after
    if kept is not None:
        weight = weight[:, kept]
    spread = _spread(weight, stride)
    _, before, after = spread.shape
    with torch.no_grad():
        layer.conv.weight[:, before:, :after] = 0.0
        layer.conv.weight[:, :before, :after] = torch.from_numpy(spread)
        layer.conv.bias[:after] = torch.from_numpy(tensors[f"mid.{number}.bias"].copy())
    _take_norm(layer.norm, _norm(tensors, f"mid_bn.{number}"))


def _spread(weight: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    """Give (TAPS, before, after) weights of steps for (frames, before, after) weights of frames."""
    out = np.zeros((TAPS, *weight.shape[1:]), np.float32)
    for frame, part in enumerate(weight):
        place = (frame - len(weight) // 2) / stride + TAPS // 2
        for tap in range(TAPS):
            out[tap] += part * max(0.0, 1.0 - abs(place - tap))
    return out


def _norm(tensors: Tensors, name: str) -> list[Tensor]:
    keys = ("weight", "bias", "running_mean", "running_var")
    return [torch.from_numpy(tensors[f"{name}.{key}"].copy()) for key in keys]


def _take_norm(norm: Norm, given: list[Tensor]) -> None:
    """Take a batch norm; ours has its own epsilon and may have more channels."""
    weight, bias, mean, variance = given
    own = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
    with torch.no_grad():
        for tensor, value in zip(own, (weight, bias, mean, variance + EPSILON - norm.eps), strict=True):
            assert tensor is not None
            tensor[: len(value)] = value


def _copy(parameter: Tensor, value: NDArray[np.floating]) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(value, np.float32)))
