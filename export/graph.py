"""A trained network as an ONNX graph: batch norms folded in, calibration at the end.

`frames` (batch, n_frames, n_mels) float32 -> `probabilities` (batch, n_labels) float32.
"""

import copy
import logging
import warnings
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from training.net import GenreNet, TimeConv

OPSET = 18
"""Old enough for every runtime of the last years; what the streamer accepts is in `streamer.model`."""


class Scale(nn.Module):
    """A batch norm that learns no more: (batch, channels, steps), times a scale, plus a shift."""

    def __init__(self, norm: nn.BatchNorm1d) -> None:
        super().__init__()
        found = norm.state_dict()
        scale = found["weight"] / torch.sqrt(found["running_var"] + norm.eps)
        self.scale = nn.Parameter(scale[:, None], requires_grad=False)
        shift = found["bias"] - found["running_mean"] * scale
        self.shift = nn.Parameter(shift[:, None], requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        return x * self.scale + self.shift


class Deployed(nn.Module):
    """The network as it is shipped: plain convolutions, softmax of the logits over a temperature."""

    def __init__(self, net: GenreNet, temperature: float) -> None:
        super().__init__()
        self.trunk, self.head = copy.deepcopy(net.trunk).eval(), copy.deepcopy(net.head).eval()
        self.trunk.norm = Scale(self.trunk.norm)
        self.trunk.layers = nn.ModuleList(_fold(layer) for layer in self.trunk.layers)
        self.head.dense, self.head.norm = fuse_linear_bn_eval(self.head.dense, self.head.norm), nn.Identity()
        self.temperature = temperature

    def forward(self, frames: Tensor) -> Tensor:
        """Take (batch, n_frames, n_mels) frames; give (batch, n_labels) probabilities."""
        logits: Tensor = self.head(self.trunk(frames))
        return torch.softmax(logits / self.temperature, dim=1)


def build(net: GenreNet, *, n_frames: int, n_mels: int, temperature: float) -> onnx.ModelProto:
    """Give the model, without metadata."""
    deployed = Deployed(net, temperature).eval()
    example = torch.zeros(2, n_frames, n_mels)
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The exporter's own libraries use what they themselves have deprecated.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            program: Any = torch.onnx.export(
                deployed,
                (example,),
                input_names=["frames"],
                output_names=["probabilities"],
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                opset_version=OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        quiet.setLevel(level)
    model: onnx.ModelProto = program.model_proto
    _strip(model)
    return model


def _fold(layer: nn.Module) -> nn.Sequential:
    """Give a layer over time as a plain convolution with its batch norm folded in."""
    if not isinstance(layer, nn.Sequential):
        raise TypeError(f"{type(layer).__name__} is no layer over time")
    conv, norm, _ = layer
    if not isinstance(conv, TimeConv) or not isinstance(norm, nn.BatchNorm1d):
        raise TypeError(f"{type(conv).__name__} and {type(norm).__name__} are no layer over time")
    plain = nn.Conv1d(conv.in_channels, conv.out_channels, conv.kernel_size, bias=False).eval()
    plain.weight = nn.Parameter(conv.weight.detach().clone(), requires_grad=False)
    return nn.Sequential(fuse_conv_bn_eval(plain, norm), nn.ReLU())


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
