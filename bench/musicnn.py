"""The unpruned teacher's graph, rebuilt from its published layers with random weights: it costs the same.

musicnn (Pons and Serra 2019, https://github.com/jordipons/musicnn, `models.py`): 204 + 204 timbral
and 3 x 51 temporal filters over 96 bands, three dense layers of 64, pooling, 200 units, 50 tags.
What a layer costs depends on its shape, not on its weights. The 787,159 trained numbers and 4,920
of batch norms are as many as in the checkpoint of the PyPI package `musicnn` 0.1.0.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

N_FRAMES, N_MELS, TAGS = 187, 96, 50
TIMBRAL = ((204, 7, 38), (204, 7, 67))  # filters, frames, bands
TEMPORAL = ((51, 128), (51, 64), (51, 32))  # filters, frames
MIDDLE, UNITS = 64, 200
OPSET = 17


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

    def constant(self, value: np.ndarray) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def random(self, *shape: int) -> str:
        scale = np.sqrt(2.0 / max(1, np.prod(shape[1:])))  # keeps values in range from layer to layer
        return self.constant((scale * self._random.standard_normal(shape)).astype(np.float32))

    def normalise(self, x: str, channels: int) -> str:
        ones, zeros = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        parts = [self.constant(value) for value in (ones, zeros, zeros, ones)]
        return self.add("BatchNormalization", x, *parts, epsilon=1e-3)

    def convolve(self, x: str, filters: int, frames: int, bands: int) -> str:
        """Keep the number of frames, and take all places of the kernel in frequency."""
        before = (frames - 1) // 2
        pads = [before, 0, frames - 1 - before, 0]
        kernel = (self.random(filters, 1, frames, bands), self.random(filters))
        return self.normalise(self.add("Relu", self.add("Conv", x, *kernel, pads=pads)), filters)

    def dense(self, x: str, inputs: int, outputs: int) -> str:
        return self.add("Gemm", x, self.random(outputs, inputs), self.random(outputs), transB=1)


def unpruned() -> bytes:
    """Give an ONNX file: `x` (n, 187, 96) -> `tags` (n, 50)."""
    graph = _Graph()
    axis = {i: graph.constant(np.array([i], np.int64)) for i in (1, 3)}
    x = graph.normalise(graph.add("Unsqueeze", "x", axis[1]), 1)
    front = [graph.convolve(x, *shape) for shape in TIMBRAL]
    front += [graph.convolve(x, *shape, 1) for shape in TEMPORAL]
    front = [graph.add("ReduceMax", part, axes=[3], keepdims=0) for part in front]
    wide = sum(shape[0] for shape in (*TIMBRAL, *TEMPORAL))
    layers = [graph.add("Concat", *front, axis=1)]  # (n, 561, 187)
    for inputs in (wide, MIDDLE, MIDDLE):
        turned = graph.add("Transpose", layers[-1], perm=[0, 2, 1])
        dense = graph.convolve(graph.add("Unsqueeze", turned, axis[1]), MIDDLE, 7, inputs)
        dense = graph.add("Squeeze", dense, axis[3])
        layers.append(dense if len(layers) == 1 else graph.add("Add", dense, layers[-1]))
    every = graph.add("Concat", *layers, axis=1)
    pools = [graph.add(f"Reduce{kind}", every, axes=[2], keepdims=0) for kind in ("Max", "Mean")]
    width = 2 * (wide + 3 * MIDDLE)
    pooled = graph.normalise(graph.add("Concat", *pools, axis=1), width)
    penultimate = graph.normalise(graph.add("Relu", graph.dense(pooled, width, UNITS)), UNITS)
    graph.add("Sigmoid", graph.dense(penultimate, UNITS, TAGS), output="tags")
    return _model(graph).SerializeToString()


def _model(graph: _Graph) -> onnx.ModelProto:
    made = helper.make_graph(
        graph.nodes,
        "musicnn",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", N_FRAMES, N_MELS])],
        [helper.make_tensor_value_info("tags", TensorProto.FLOAT, ["n", TAGS])],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model)
    return model
