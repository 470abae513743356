"""Makes tiny model files that keep the contract: real ONNX, real probe, meaningless weights."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from streamer.contract import Accuracy, Contract, Decision, FrontEnd, Probe, probe_samples, write_contract
from streamer.signal.mel import MelStream

LABELS = ("jazz", "metal", "speech", "noise")

FRONT_END = FrontEnd(
    sample_rate=16_000,
    n_fft=1024,
    hop_length=400,
    window="hann",
    n_mels=80,
    f_min=30.0,
    f_max=7800.0,
    mel_scale="htk",
    mel_norm="none",
    log_offset=1e-7,
    n_frames=118,
)
DECISION = Decision(
    half_life_s=2.0,
    sharpness=1.0,
    boundary_keeps=0.0,
    lead=2.0,
    new_title_lead=2.0,
    titled_lead=4.0,
    kind_lead=1.5,
    music_odds=1.0,
    unsure_below=0.3,
    keep_above=0.2,
    other_below=0.3,
    silence_dbfs=-60.0,
    track_s=30.0,
)


def contract(probabilities: tuple[float, ...] = (0.25,) * 4, front_end: FrontEnd = FRONT_END) -> Contract:
    """Give a contract; the probe's answer is filled in by `model`."""
    return Contract(
        labels=LABELS,
        not_music=("speech", "noise"),
        front_end=front_end,
        decision=DECISION,
        accuracy=Accuracy(value=0.5, low=0.4, high=0.6, of="nothing: weights are random"),
        probe=Probe(seed=7, probabilities=probabilities, tolerance=1e-3),
        name="tiny",
        training_data="none",
        licence="CC0-1.0",
        recipe="tests/tiny_model.py",
        commit="0" * 40,
        seed=0,
    )


def weights() -> np.ndarray:
    """Give (80, 4) weights: low, middle, high bands and all of them, whatever they mean."""
    bands = np.zeros((80, 4), np.float32)
    bands[:25, 0] = bands[25:50, 1] = bands[50:, 2] = 1 / 25
    bands[:, 3] = 1 / 80
    return bands


STRIDE, SEEN = 4, 6  # frames from one step of the features to the next, and in one


def model(*, trunk: bool = False, **metadata: str) -> onnx.ModelProto:
    """Give a model whose answer is the loudest third of the spectrum; `metadata` overrides keys.

    With a trunk its features are means of six frames, every four frames, and it may be cut there.
    """
    front = FRONT_END
    frames, _ = MelStream(front).push(probe_samples(7, front.window_samples))
    if trunk:
        frames = np.stack([frames[at : at + SEEN].mean(axis=0) for at in range(0, 118 - SEEN + 1, STRIDE)])
    logits = frames.mean(axis=0) @ weights()
    answer = np.exp(logits - logits.max())
    answer /= answer.sum()
    below = [
        helper.make_node("Transpose", ["frames"], ["bands"], perm=[0, 2, 1]),
        helper.make_node("AveragePool", ["bands"], ["features"], kernel_shape=[SEEN], strides=[STRIDE]),
        helper.make_node("ReduceMean", ["features", "axes"], ["mean"], keepdims=0),
    ]
    whole = [helper.make_node("ReduceMean", ["frames", "axes"], ["mean"], keepdims=0)]
    n_frames = "frames" if trunk else front.n_frames
    graph = helper.make_graph(
        [
            *(below if trunk else whole),
            helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        ],
        "tiny",
        [helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", n_frames, front.n_mels])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", len(LABELS)])],
        [
            numpy_helper.from_array(weights(), "weights"),
            numpy_helper.from_array(np.array([2 if trunk else 1], np.int64), "axes"),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    promised = write_contract(contract(tuple(float(p) for p in answer)))
    if trunk:
        cut = {"features": '["features"]', "features_stride": f"[{STRIDE}]", "features_sees": f"[{SEEN}]"}
        promised |= {f"genrecast.{key}": value for key, value in cut.items()}
    promised |= {f"genrecast.{key}": value for key, value in metadata.items()}
    helper.set_model_props(made, promised)
    return made


def model_bytes(*, trunk: bool = False, **metadata: str) -> bytes:
    """Give the bytes of `model`."""
    data: bytes = model(trunk=trunk, **metadata).SerializeToString()
    return data
