"""A model file, checked and ready: windows in, calibrated probabilities out.

A file that says where its graph may be cut (`streamer.contract`) is run in parts: stages
make features of frames, each once, and the head judges a window's features.
"""

import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from streamer.config import SHIPPED_MODELS, Provider
from streamer.contract import REMEDY, Contract, probe_samples, read_contract
from streamer.errors import ModelContractError, ModelError
from streamer.flow import Frames
from streamer.model.cut import INPUT, OUTPUT
from streamer.model.onnx_file import MalformedError, OnnxFile, scan
from streamer.model.runtime import CUDA, MAX_SAID, open_session
from streamer.model.stage import open_stages
from streamer.signal.mel import MelStream
from streamer.text import first_line

MAX_BYTES = 256 * 2**20  # sixty times the largest model that we ship; what is larger is a mistake
OPSETS = range(13, 24)  # 13: the oldest with the operators as export writes them
OUR_DOMAINS = {"", "ai.onnx", "com.microsoft"}  # the last: what ONNX Runtime's own quantiser writes
BATCHES = (1, 8, 32, 64)  # that the engine asks for


class Model:
    """A model file's contract, and the sessions that run it: stages and a head, or one of the whole.

    Args:
        data: the file's bytes; nothing else is ever opened.
        name: the file's name, for messages.
        provider: `auto` takes CUDA where it works.

    Attributes:
        contract: all that the file says of itself.
        provider: `cpu` or `cuda`, whichever runs it.
        stages: what makes features of frames, one after the other; none without a cut.
        stride: frames from one step of the last features to the next; 1 without a cut.
        steps: of the last features in a window; its frames without a cut.

    Raises:
        ModelError: the bytes can't be used, with the reason.
        ModelContractError: the contract is broken or the probe disagrees.
        ProviderError: `cuda` was asked for and is not active.
    """

    def __init__(self, data: bytes, *, name: str, provider: Provider = "auto") -> None:
        self.contract: Contract = read_contract(_scan(data, name).metadata, name=name)
        self.stages, head = open_stages(data, self.contract, name=name, provider=provider)
        self._head: ort.InferenceSession = open_session(head, name=name, provider=provider)
        self.stride = math.prod(stage.stride for stage in self.stages)
        self.steps = self.stages[-1].steps if self.stages else self.contract.front_end.n_frames
        self.provider = "cuda" if CUDA in self._head.get_providers() else "cpu"
        try:
            self._check_input(name)
            self._check_probe(name)
            if self.provider == "cuda":
                self.warm_up()
        except ModelError:
            raise
        except Exception as error:  # a graph that opens and can't run, names that are no text
            raise ModelError(
                f"{name}: ONNX Runtime can't run it: {first_line(error)[:MAX_SAID]}", remedy=REMEDY
            ) from error

    @classmethod
    def load(cls, path: str | Path | None = None, *, provider: Provider = "auto") -> "Model":
        """Load a file, or an embedded model: the default one, or another by its name."""
        data, name = read_model(path)
        return cls(data, name=name, provider=provider)

    def classify(self, given: NDArray[np.float32]) -> NDArray[np.float32]:
        """Judge windows.

        Args:
            given: (batch, width, steps) float32, of the last stage; frames as of `infer` without a cut.

        Returns:
            (batch, n_labels) float32 calibrated probabilities.
        """
        name = self.stages[-1].made if self.stages else INPUT
        probabilities: NDArray[np.float32] = self._head.run([OUTPUT], {name: given})[0]
        return probabilities

    def infer(self, frames: Frames) -> NDArray[np.float32]:
        """Take (batch, n_frames, n_mels) float32; give (batch, n_labels) calibrated probabilities."""
        given = frames
        for stage in self.stages:
            given = stage.run(given)
        return self.classify(given)

    def warm_up(self) -> None:
        """Run batches of the sizes to come: CUDA chooses its kernels for each when it first sees it."""
        front = self.contract.front_end
        new = max(1, round(1.0 / front.frame_s / self.stride)) * self.stride  # frames of a hop
        for batch in BATCHES:
            given, left = np.zeros((batch, front.n_frames, front.n_mels), np.float32), new
            for stage in self.stages:
                left = min(left // stage.stride, stage.steps)
                stage.run(stage.part(given, stage.steps - left, left))
                given = stage.run(given)
            self.classify(given)

    def _check_input(self, name: str) -> None:
        """See that the graph takes any number of windows, and one that is cut any number of frames."""
        front = self.contract.front_end
        first, frames = (self.stages[0].session, None) if self.stages else (self._head, front.n_frames)
        _check_tensor(name, "input", INPUT, first.get_inputs(), [None, frames, front.n_mels])

    def _check_probe(self, name: str) -> None:
        """See that the whole, front end included, answers as the file promises."""
        probe, front = self.contract.probe, self.contract.front_end
        frames, _ = MelStream(front).push(probe_samples(probe.seed, front.window_samples))
        # Twice in a batch: a graph may only pretend to take any number of windows.
        given: NDArray[np.float32] = np.stack([frames, frames])
        for stage in self.stages:
            given = stage.check(given, name)
        _check_tensor(name, "output", OUTPUT, self._head.get_outputs(), [None, len(self.contract.labels)])
        answer = self.classify(given)[1]
        difference = np.abs(answer - np.asarray(probe.probabilities, np.float32))
        worst = int(np.nanargmax(difference)) if np.isfinite(answer).all() else 0
        if not difference[worst] <= probe.tolerance:
            raise ModelContractError(
                f"{name}: the probe gives {answer[worst]:.6f} for '{self.contract.labels[worst]}', the file "
                f"promises {probe.probabilities[worst]:.6f} within {probe.tolerance:g}",
                remedy="the file is damaged or was exported for another front end: " + REMEDY,
            )


def read_model(path: str | Path | None = None) -> tuple[bytes, str]:
    """Read what `Model` takes: a file's bytes and its name; the file is as of `Model.load`.

    Raises:
        ModelError: it can't be read.
    """
    name = "default" if path is None else str(path)
    path = Path(str(files("streamer.model") / f"{name}.onnx")) if name in SHIPPED_MODELS else Path(name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # whatever the file system says of its size
    except OSError as error:
        raise ModelError(
            f"{path}: can't be read: {error.strerror}",
            remedy=f"give --model an existing file, or one of {', '.join(SHIPPED_MODELS)}",
        ) from error
    return data, path.name


def _check_tensor(name: str, side: str, tensor: str, found: Any, shape: list[int | None]) -> None:
    """See that a graph has an input or output of floats; a None in the shape is an axis that is free."""
    axes: list[Any] = next((t.shape for t in found if t.name == tensor and t.type == "tensor(float)"), [])
    if len(axes) != len(shape) or any(
        isinstance(axis, int) and axis != wanted for axis, wanted in zip(axes, shape, strict=True)
    ):
        written = ", ".join(("batch", *("any" if size is None else str(size) for size in shape[1:])))
        raise ModelContractError(
            f"{name}: the graph has no {side} '{tensor}' of ({written}) floats", remedy=REMEDY
        )


def _scan(data: bytes, name: str) -> OnnxFile:
    """Refuse what ONNX Runtime must not see, or can't say anything helpful about."""
    if len(data) > MAX_BYTES:
        raise ModelError(
            f"{name}: more than {MAX_BYTES >> 20} MB are no model of ours",
            remedy=f"give --model a genrecast model file of at most {MAX_BYTES >> 20} MB",
        )
    try:
        file = scan(data)
    except MalformedError as error:
        raise ModelError(
            f"{name}: no ONNX file, or a truncated one ({error})",
            remedy="fetch or export the file again and compare its size",
        ) from error
    if not file.has_graph or not file.opsets:
        raise ModelError(f"{name}: no ONNX file: it holds no graph", remedy=REMEDY)
    if file.external:
        raise ModelError(
            f"{name}: its weights lie in another file (external data)",
            remedy="save the model as one file: onnx.save_model(..., save_as_external_data=False)",
        )
    for domain, version in file.opsets:
        if domain not in OUR_DOMAINS:
            raise ModelError(f"{name}: it needs the operators of '{domain[:60]}'", remedy=REMEDY)
        if domain in ("", "ai.onnx") and version not in OPSETS:
            raise ModelError(
                f"{name}: operator set {version} is not one of {OPSETS.start} to {OPSETS.stop - 1}",
                remedy="convert it with onnx.version_converter or export it again",
            )
    return file
