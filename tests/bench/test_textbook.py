"""The textbook way answers what ours does, and its work is counted."""

from importlib.resources import files

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from bench.eager import EagerNetwork
from bench.textbook import TextbookMel, levels
from streamer.model.session import Model
from streamer.signal.mel import MelStream

pytestmark = [pytest.mark.training, pytest.mark.slow]


def graph() -> onnx.ModelProto:
    """Give x (1, 2, t) -> convolution of 3 steps to 4 channels -> mean over time -> 5 sums."""
    random = np.random.default_rng(0)
    weights = {"w": (4, 2, 3), "b": (4,), "v": (5, 4), "c": (5,)}
    tensors = [
        numpy_helper.from_array(random.standard_normal(s).astype(np.float32), n) for n, s in weights.items()
    ]
    tensors.append(numpy_helper.from_array(np.array([2], np.int64), "last"))
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["h"], kernel_shape=[3]),
        helper.make_node("ReduceMean", ["h", "last"], ["m"], keepdims=0),
        helper.make_node("Gemm", ["m", "v", "c"], ["y"], transB=1),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, "t"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 5])
    made = helper.make_graph(nodes, "g", [x], [y], tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def test_work_is_counted_by_shape() -> None:
    network = EagerNetwork(graph())

    whole = network.count_flops(torch.zeros(1, 2, 12), "y")
    below = network.count_flops(torch.zeros(1, 2, 12), "h")
    above = network.count_flops(torch.zeros(1, 4, 10), "y", begin="h")

    assert below == 2 * (2 * 3) * (4 * 10)
    assert above == 2 * 4 * 5
    assert whole == below + above


def test_network_answers_as_the_session_does() -> None:
    model = Model.load(provider="cpu")
    network = EagerNetwork(onnx.load(str(files("streamer.model") / "default.onnx")))
    front = model.contract.front_end
    frames = np.random.default_rng(1).standard_normal((1, front.n_frames, front.n_mels)).astype(np.float32)

    theirs = network.run(torch.from_numpy(frames), "probabilities").numpy()

    np.testing.assert_allclose(theirs, model.infer(frames), atol=1e-5)


def test_mel_is_the_streamers_wherever_the_window_begins() -> None:
    front = Model.load(provider="cpu").contract.front_end
    samples = np.random.default_rng(2).standard_normal(5 * front.sample_rate).astype(np.float32)
    frames, powers = MelStream(front).push(samples)
    first = 40
    window = samples[first * front.hop_length :][: front.window_samples]
    before = float(levels(front, powers, 0.0, 0)[1][first - 1])

    for prebuilt in (False, True):
        theirs = TextbookMel(front, prebuilt=prebuilt).frames(window, before=before, count=first)

        np.testing.assert_allclose(theirs, frames[first : first + front.n_frames], atol=1e-3)
