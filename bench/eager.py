"""A model file's graph as plain PyTorch, one operator after the other: the textbook way to run a network.

Made from the file's own weights, so that both ways answer alike. A batch norm that the exporter wrote as
a convolution of each channel with one number is one multiplication and addition here, as PyTorch's
own is; a pooling over a whole axis is a maximum.
"""

from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor
from torch.nn import functional

Attributes: TypeAlias = dict[str, Any]
Operator: TypeAlias = Callable[..., Tensor]


class EagerNetwork:
    """Runs a graph in PyTorch.

    Args:
        model: of the operators in `_MAKERS`, with one input.

    Raises:
        ValueError: the graph has an operator that is not known here.
    """

    def __init__(self, model: onnx.ModelProto) -> None:
        graph = model.graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._input = graph.input[0].name
        self._weights = {name: torch.from_numpy(value.copy()) for name, value in constants.items()}
        self._nodes: list[tuple[Operator, tuple[str, ...], str]] = []
        self._counted: dict[str, int] = {}  # of each product: additions and multiplications for an output
        for node in graph.node:
            if node.op_type not in _MAKERS:
                raise ValueError(f"operator {node.op_type} is not known to bench.eager")
            attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
            # What says how, not what: axes, bounds, shapes.
            how = [constants[name] for name in node.input if name in constants and _is_how(constants[name])]
            given = [name for name in node.input if not (name in constants and _is_how(constants[name]))]
            weights = [self._weights.get(name) for name in given]
            self._nodes.append(
                (_MAKERS[node.op_type](attributes, how, weights), tuple(given), node.output[0])
            )
            if node.op_type in ("Conv", "Gemm", "MatMul"):
                weight = constants[node.input[1]]
                each = weight.shape[1:] if node.op_type == "Conv" else weight.shape[-1:]
                if node.op_type == "MatMul" or (node.op_type == "Gemm" and not attributes.get("transB")):
                    each = weight.shape[-2:-1]
                self._counted[node.output[0]] = 2 * prod(each)

    def run(self, given: Tensor, output: str, *, begin: str = "") -> Tensor:
        """Compute a tensor of the graph.

        Args:
            given: what the input is, or the tensor `begin`.
            output: name of the wanted tensor.
            begin: name of the tensor from which to go on.
        """
        known = {begin or self._input: given}
        weights = self._weights
        for operator, names, result in self._path(begin, output):
            known[result] = operator(*[weights[n] if n in weights else known[n] for n in names])
        return known[output]

    def count_flops(self, given: Tensor, output: str, *, begin: str = "") -> int:
        """Give the additions and multiplications in the convolutions and products of that computation."""
        known = {begin or self._input: given}
        total = 0
        for operator, names, result in self._path(begin, output):
            known[result] = operator(*[self._weights[n] if n in self._weights else known[n] for n in names])
            total += self._counted.get(result, 0) * known[result].numel()
        return total

    def _path(self, begin: str, output: str) -> list[tuple[Operator, tuple[str, ...], str]]:
        """Give the nodes that lead from one tensor to another, in order."""
        wanted, path = {output}, []
        for node in reversed(self._nodes):
            if node[2] in wanted and node[2] != begin:
                path.append(node)
                wanted.update(node[1])
        return path[::-1]


def _is_how(constant: np.ndarray[Any, Any]) -> bool:
    return bool(constant.dtype == np.int64)


def _conv(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    weight, groups = weights[1], attributes.get("group", 1)
    assert weight is not None
    if any(attributes.get("pads", [])):
        raise ValueError("padded convolutions are not known to bench.eager")
    if groups == weight.shape[0] and weight[0].numel() == 1:
        shape = (1, -1, *weight.shape[2:])
        return lambda x, w, b: torch.addcmul(b.view(shape), x, w.view(shape))
    call = functional.conv1d if weight.ndim == 3 else functional.conv2d
    strides, dilations = attributes.get("strides", 1), attributes.get("dilations", 1)
    return lambda x, w, b=None: call(x, w, b, strides, 0, dilations, groups)


def _max_pool(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    kernel, strides = attributes["kernel_shape"], attributes.get("strides", 1)

    def pool(x: Tensor) -> Tensor:
        if list(kernel) == [1, x.shape[-1]]:
            return x.amax(-1, keepdim=True)
        return functional.max_pool2d(x, kernel, strides)

    return pool


def _slice(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    starts, ends, axes, *steps = (part.tolist() for part in how)
    slices = [slice(None)] * (max(axes) + 1)
    for axis, start, end, step in zip(
        axes, starts, ends, steps[0] if steps else [1] * len(axes), strict=True
    ):
        slices[axis] = slice(start, end, step)
    index = tuple(slices)
    return lambda x: x[index]


def _reduce(call: Callable[..., Tensor]) -> Callable[..., Operator]:
    def make(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
        axes = how[0].tolist() if how else attributes["axes"]
        keep = bool(attributes.get("keepdims", 1))
        return lambda x: call(x, dim=axes, keepdim=keep)

    return make


def _gemm(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    if attributes.get("transB"):
        return functional.linear
    return lambda x, w, b: torch.addmm(b, x, w)


def _unsqueeze(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    (axis,) = how[0].tolist()
    return lambda x: x.unsqueeze(axis)


def _squeeze(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    (axis,) = how[0].tolist()
    return lambda x: x.squeeze(axis)


def _concat(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    axis = attributes["axis"]
    return lambda *parts: torch.cat(parts, axis)


def _softmax(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    axis = attributes.get("axis", -1)
    return lambda x: torch.softmax(x, axis)


def _transpose(attributes: Attributes, how: list[Any], weights: list[Tensor | None]) -> Operator:
    order = attributes["perm"]
    return lambda x: x.permute(order)


def _plain(call: Operator) -> Callable[..., Operator]:
    return lambda attributes, how, weights: call


_MAKERS: dict[str, Callable[[Attributes, list[Any], list[Tensor | None]], Operator]] = {
    "Add": _plain(torch.add),
    "Concat": _concat,
    "Conv": _conv,
    "Div": _plain(torch.div),
    "Exp": _plain(torch.exp),
    "Gemm": _gemm,
    "Identity": _plain(lambda x: x),
    "Log": _plain(torch.log),
    "MatMul": _plain(torch.matmul),
    "MaxPool": _max_pool,
    "Mul": _plain(torch.mul),
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "Relu": _plain(functional.relu),
    "Slice": _slice,
    "Softmax": _softmax,
    "Squeeze": _squeeze,
    "Sub": _plain(torch.sub),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
