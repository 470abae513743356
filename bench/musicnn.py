"""musicnn's graph, rebuilt from its published layers with random weights: it costs what the trained one does.

musicnn (Pons and Serra 2019, https://github.com/jordipons/musicnn, `models.py`): 204 + 204 timbral
and 3 x 51 temporal filters over 96 bands, three dense layers of 64, pooling, 200 units, 50 tags.
What a layer costs depends on its shape, not on its weights. The 787,159 trained numbers and 4,920
of batch norms are as many as in the checkpoint of the PyPI package `musicnn` 0.1.0.
"""

from math import prod

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

N_FRAMES, N_MELS, TAGS = 187, 96, 50
FILTERS = ((204, 7, 38), (204, 7, 67), (51, 128, 1), (51, 64, 1), (51, 32, 1))  # how many, frames, bands
MIDDLE, SPAN, UNITS = 64, 7, 200
OPSET = 17
Sizes = tuple[tuple[int, int, int], ...]


class _Graph:
    """Collects nodes and random weights; each method adds one layer and gives its output's name."""

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: object) -> str:
        output = output or f"{kind}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, value: np.ndarray, name: str = "") -> str:
        name = name or f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def random(self, name: str, *shape: int) -> str:
        scale = np.sqrt(2.0 / prod(shape[1:]))  # keeps values in range from layer to layer
        return self.constant((scale * self._random.standard_normal(shape)).astype(np.float32), name)

    def normalise(self, x: str, name: str, channels: int, output: str = "") -> str:
        near_one = np.exp(0.1 * self._random.standard_normal((2, channels))).astype(np.float32)
        near_zero = 0.1 * self._random.standard_normal((2, channels)).astype(np.float32)
        values = {
            "weight": near_one[0],
            "bias": near_zero[0],
            "running_mean": near_zero[1],
            "running_var": near_one[1],
        }
        parts = [self.constant(value, f"{name}.{key}") for key, value in values.items()]
        return self.add("BatchNormalization", x, *parts, epsilon=1e-3, output=output)

    def convolve(self, x: str, layer: str, norm: str, size: tuple[int, int, int]) -> str:
        """Keep the number of frames, and take all places of the kernel in frequency."""
        filters, frames, bands = size
        before = (frames - 1) // 2
        pads = [before, 0, frames - 1 - before, 0]
        kernel = (
            self.random(f"{layer}.weight", filters, 1, frames, bands),
            self.random(f"{layer}.bias", filters),
        )
        return self.normalise(self.add("Relu", self.add("Conv", x, *kernel, pads=pads)), norm, filters)

    def dense(self, x: str, name: str, inputs: int, outputs: int) -> str:
        weights = (self.random(f"{name}.weight", outputs, inputs), self.random(f"{name}.bias", outputs))
        return self.add("Gemm", x, *weights, transB=1)


def musicnn(filters: Sizes = FILTERS) -> bytes:
    """Give an ONNX file: `x` (n, 187, 96) -> `tags` (n, 50), `penultimate`, `mean_pool` and `max_pool`.

    Weights are named as in a teacher's file (`training.teacher`). Fewer `filters` make a pruned one.
    """
    graph = _Graph()
    axis = {i: graph.constant(np.array([i], np.int64)) for i in (1, 2, 3)}
    x = graph.normalise(graph.add("Unsqueeze", "x", axis[1]), "bn0", 1)
    front = [graph.convolve(x, f"front.{i}", f"front_bn.{i}", size) for i, size in enumerate(filters)]
    front = [graph.add("ReduceMax", part, axes=[3], keepdims=0) for part in front]
    found = sum(count for count, _, _ in filters)
    layers = [graph.add("Concat", *front, axis=1)]  # (n, found, 187)
    for i, inputs in enumerate((found, MIDDLE, MIDDLE)):
        turned = graph.add("Transpose", layers[-1], perm=[0, 2, 1])
        size = (MIDDLE, SPAN, inputs)
        dense = graph.convolve(graph.add("Unsqueeze", turned, axis[1]), f"mid.{i}", f"mid_bn.{i}", size)
        dense = graph.add("Squeeze", dense, axis[3])
        layers.append(dense if len(layers) == 1 else graph.add("Add", dense, layers[-1]))
    every = graph.add("Concat", *layers, axis=1)
    pools = [
        graph.add(f"Reduce{kind}", every, axes=[2], keepdims=0, output=f"{kind.lower()}_pool")
        for kind in ("Max", "Mean")
    ]
    width = 2 * (found + 3 * MIDDLE)
    pairs = graph.add("Concat", *(graph.add("Unsqueeze", pool, axis[2]) for pool in pools), axis=2)
    pooled = graph.normalise(graph.add("Flatten", pairs), "bn_flat", width)
    units = graph.add("Relu", graph.dense(pooled, "d0", width, UNITS))
    penultimate = graph.normalise(units, "bn_pen", UNITS, output="penultimate")
    graph.add("Sigmoid", graph.dense(penultimate, "d1", UNITS, TAGS), output="tags")
    sizes = {"tags": TAGS, "penultimate": UNITS, "mean_pool": width // 2, "max_pool": width // 2}
    data: bytes = _model(graph, sizes).SerializeToString()
    return data


def _model(graph: _Graph, outputs: dict[str, int]) -> onnx.ModelProto:
    made = helper.make_graph(
        graph.nodes,
        "musicnn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", N_FRAMES, N_MELS])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
            for name, size in outputs.items()
        ],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model
