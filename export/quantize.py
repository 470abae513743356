"""A model file in eight bits: the weights of its large layers, and what goes into them and comes out.

The filters stay as they are: of few channels, they are slower in eight bits, and what they hear
spans too many of them. So does the last layer, which decides.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from export.convert import TEMPERATURE_KEY, probe_answer, seal, session
from export.verify import MismatchError, read_model, windows_for
from streamer.contract import Contract, read_contract
from streamer.model.session import Model
from streamer.whole import write_whole

CHANNELS = 32
"""Fewer make no large layer."""
TOLERANCE = 0.02
"""Of the probe: what lies between two of 256 steps goes to the other one on another processor."""
BATCH = 32


class Agreement(NamedTuple):
    """How a quantised model answers beside the one that it was made of.

    Attributes:
        labels: share of windows with the same label.
        worst: largest difference of a probability.
        mean: difference in the mean.
        windows: how many were compared.
    """

    labels: float
    worst: float
    mean: float
    windows: int


def quantize(model: Path, out: Path, *, windows: Path | None, at_least: float) -> Agreement:
    """Write a model file with the large layers in eight bits (QDQ, weights by channel).

    Every other window is calibrated on, the rest are judged.

    Args:
        model: a model file in floats.
        out: the file to write.
        windows: a prepared set to take real windows from; seeded noise and chords where None.
        at_least: share of the windows that must keep their label.

    Raises:
        MismatchError: fewer do; nothing is written then.
        ModelError: the file can't be read, or the streamer would not take what came out.
        RunError: the windows are of another front end.
    """
    data, metadata = read_model(model)
    contract = read_contract(metadata, name=model.name)
    frames = windows_for(windows, contract.front_end)
    quantized = _quantized(onnx.load_model_from_string(data), frames[::2])
    found = _compare(data, quantized.SerializeToString(), frames[1::2])
    if not found.labels >= at_least:
        raise MismatchError(
            f"{out.name} gives {found.labels:.3f} of {found.windows} windows the label that {model.name} "
            f"gives them, not {at_least:g}",
            remedy="stay with the model in floats, or accept less with --agreement",
        )
    promised = _promise(contract, quantized)
    sealed = seal(quantized, promised, name=out.name, temperature=metadata.get(TEMPERATURE_KEY, "1"))
    Model(sealed, name=out.name, provider="cpu")  # what the streamer would refuse is not written
    write_whole(out, sealed)
    return found


def _quantized(model: onnx.ModelProto, frames: NDArray[np.float32]) -> onnx.ModelProto:
    """Let ONNX Runtime's own quantiser do it, and keep its advice to itself."""
    large = _large(model)
    with TemporaryDirectory() as folder:
        out = Path(folder) / "quantized.onnx"
        logging.disable(logging.WARNING)
        try:
            quantize_static(
                model,
                out,
                _Windows(frames),
                per_channel=True,
                op_types_to_quantize=["Conv", "Gemm"],
                nodes_to_quantize=large,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                # Ranges as in the mean of the batches: one loud window coarsens the steps of all.
                extra_options={"CalibMovingAverage": True},
            )
        finally:
            logging.disable(logging.NOTSET)
        return onnx.load(out)


def _large(model: onnx.ModelProto) -> list[str]:
    """Name the layers that are worth it: over time, or dense, and not the last one."""
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    layers = [(node, sizes.get(node.input[1], [])) for node in model.graph.node if node.op_type == "Conv"]
    over_time = [node.name for node, (_, channels, *taps) in layers if channels >= CHANNELS and max(taps) > 1]
    dense = [node.name for node in model.graph.node if node.op_type == "Gemm"]
    return [*over_time, *dense[:-1]]


class _Windows(CalibrationDataReader):  # type: ignore[misc]
    """Hands windows to the quantiser, batch by batch."""

    def __init__(self, frames: NDArray[np.float32]) -> None:
        self._batches = _batches(frames)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Give the next batch, None at the end."""
        return next(self._batches, None)


def _batches(frames: NDArray[np.float32]) -> Iterator[dict[str, NDArray[np.float32]]]:
    return ({"frames": frames[at : at + BATCH]} for at in range(0, len(frames), BATCH))


def _compare(data: bytes, other: bytes, frames: NDArray[np.float32]) -> Agreement:
    """Ask both about the same windows."""
    ours, theirs = (
        np.concatenate([opened.run(["probabilities"], batch)[0] for batch in _batches(frames)])
        for opened in (session(data), session(other))
    )
    difference = np.abs(ours - theirs)
    same = ours.argmax(axis=1) == theirs.argmax(axis=1)
    return Agreement(float(same.mean()), float(difference.max()), float(difference.mean()), len(frames))


def _promise(contract: Contract, model: onnx.ModelProto) -> Contract:
    """Give the contract with the model's own answer to the probe; whose accuracy it is, is told."""
    probe = msgspec.structs.replace(
        contract.probe,
        probabilities=probe_answer(model, contract.front_end, contract.probe.seed),
        tolerance=max(TOLERANCE, contract.probe.tolerance),
    )
    accuracy = msgspec.structs.replace(
        contract.accuracy, of=f"{contract.accuracy.of}, before it was quantised"
    )
    return msgspec.structs.replace(contract, probe=probe, accuracy=accuracy)
