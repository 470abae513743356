"""A trained network as an ONNX graph, in the form of `export.deployed`.

`frames` (batch, n_frames, n_mels) float32 -> `probabilities` (batch, n_labels) float32. The student's
takes any number of frames, and what windows share of it bears names: there it may be cut.
"""

import logging
import warnings
from typing import Any, NamedTuple

import onnx
import torch
from torch import Tensor, nn

from export.deployed import Deployed, DeployedTagger
from training.nets import Net
from training.recipe import TAPS
from training.tagger import TaggerNet

OPSET = 18
"""Old enough for every runtime of the last years; what the streamer accepts is in `streamer.model`."""
FOUND, FEATURES = "found", "features"
"""By the filters; what is pooled over the window."""


class Cut(NamedTuple):
    """Where a graph may be cut: the keys of the contract that are named so."""

    features: tuple[str, ...] = ()
    features_stride: tuple[int, ...] = ()
    features_sees: tuple[int, ...] = ()


def build(net: Net, *, n_frames: int, n_mels: int, temperature: float) -> onnx.ModelProto:
    """Give the model, without metadata."""
    example = torch.zeros(2, n_frames, n_mels)
    batch = torch.export.Dim("batch", min=1)
    if isinstance(net, TaggerNet):
        model = _exported(DeployedTagger(net, temperature), example, {0: batch})
    else:
        frames = torch.export.Dim("frames", min=_least(cut_of(net, n_frames)))
        model = _exported(Deployed(net, temperature), example, {0: batch, 1: frames})
        _name_cut(model)
    _strip(model)
    return model


def cut_of(net: Net, n_frames: int) -> Cut:
    """Say where the graph of a network may be cut, if its windows have so many frames."""
    if isinstance(net, TaggerNet):
        return Cut()  # it pads: its steps depend on where the window ends
    stride, longest = net.filters.stride, net.filters.longest
    # A step of the filters sees their longest; what is more makes a window a whole number of steps.
    more = (n_frames - longest) % stride
    return Cut((FOUND, FEATURES), (stride, 1), (longest + more, 1 + (TAPS - 1) * len(net.trunk.layers)))


def _least(cut: Cut) -> int:
    """Give how many frames one step of the last features is made of."""
    steps = 1
    for stride, sees in zip(cut.features_stride[::-1], cut.features_sees[::-1], strict=True):
        steps = (steps - 1) * stride + sees
    return steps


def _exported(module: nn.Module, example: Tensor, free: dict[int, Any]) -> onnx.ModelProto:
    """Let torch export a module whose input has some free axes."""
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The exporter's own libraries use what they themselves have deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            program: Any = torch.onnx.export(
                module.eval(),
                (example,),
                input_names=["frames"],
                output_names=["probabilities"],
                dynamic_shapes=(free,),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        quiet.setLevel(level)
    model: onnx.ModelProto = program.model_proto
    return model


def _name_cut(model: onnx.ModelProto) -> None:
    """Give what layers over time are given of the filters, and what is pooled, their names."""
    nodes = model.graph.node
    (normed,) = (node.output[0] for node in nodes if "filters.norm.weight" in node.input)
    (found,) = (node.output[0] for node in nodes if normed in node.input)
    (pooled,) = {node.input[0] for node in nodes if node.op_type in ("ReduceMean", "ReduceMax")}
    renamed = {found: FOUND, pooled: FEATURES}
    for node in nodes:
        for names in (node.input, node.output):
            names[:] = [renamed.get(name, name) for name in names]


def _strip(model: onnx.ModelProto) -> None:
    """Take out what the exporter notes about this machine: source lines, module names, functions."""
    del model.metadata_props[:]
    del model.functions[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer):
        del value.metadata_props[:]
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
