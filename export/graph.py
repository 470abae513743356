"""A trained network as an ONNX graph: batch norms as plain scales, calibration at the end.

`frames` (batch, n_frames, n_mels) float32 -> `probabilities` (batch, n_labels) float32.
"""

import copy
import logging
import warnings
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_linear_bn_eval

from training.net import GenreNet, Layer, OverTime
from training.nets import Net
from training.tagger import TaggerNet

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
    """The network as it is shipped: channels before steps, softmax of the logits over a temperature."""

    def __init__(self, net: GenreNet, temperature: float) -> None:
        super().__init__()
        self.filters, head = copy.deepcopy(net.filters), copy.deepcopy(net.head)
        self.norm = Scale(net.trunk.norm)
        self.layers = nn.ModuleList(_plain(layer) for layer in net.trunk.layers)
        self.dense, self.linear = fuse_linear_bn_eval(head.dense, head.norm), head.linear
        self.temperature = temperature

    def forward(self, frames: Tensor) -> Tensor:
        """Take (batch, n_frames, n_mels) frames; give (batch, n_labels) probabilities."""
        x = self.norm(self.filters(frames))
        out = [x]
        for number, layer in enumerate(self.layers):
            x = layer(x) + x[:, :, 1:-1] if number else layer(x)
            out = [*(y[:, :, 1:-1] for y in out), x]
        features = torch.cat(out, dim=1)
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


def build(net: Net, *, n_frames: int, n_mels: int, temperature: float) -> onnx.ModelProto:
    """Give the model, without metadata."""
    kind = DeployedTagger if isinstance(net, TaggerNet) else Deployed
    deployed = kind(net, temperature).eval()
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


def _plain(layer: nn.Module) -> nn.Sequential:
    """Give a layer over time as a plain convolution, ReLU and scale."""
    if not isinstance(layer, Layer):
        raise TypeError(f"{type(layer).__name__} is no layer over time")
    return nn.Sequential(_conv(layer.conv), nn.ReLU(), Scale(layer.norm))


def _conv(layer: OverTime) -> nn.Conv1d:
    taps, before, after = layer.weight.shape
    plain = nn.Conv1d(before, after, taps)
    plain.weight = nn.Parameter(layer.weight.detach().permute(2, 1, 0).contiguous(), requires_grad=False)
    plain.bias = nn.Parameter(layer.bias.detach().clone(), requires_grad=False)
    return plain


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
