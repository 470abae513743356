"""A model file, checked and ready: windows in, calibrated probabilities out."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from streamer.config import SHIPPED_MODELS, Provider
from streamer.contract import REMEDY, Contract, probe_samples, read_contract
from streamer.errors import ModelContractError, ModelError, ProviderError
from streamer.flow import Frames
from streamer.model.onnx_file import MalformedError, OnnxFile, scan
from streamer.signal.mel import MelStream

MAX_BYTES = 256 * 2**20  # sixty times the largest model that we ship; what is larger is a mistake
OPSETS = range(13, 24)  # 13: the oldest with the operators as export writes them
OUR_DOMAINS = {"", "ai.onnx", "com.microsoft"}  # the last: what ONNX Runtime's own quantiser writes


class Model:
    """One ONNX Runtime session and the contract of its file.

    Args:
        data: the file's bytes; nothing else is ever opened.
        name: the file's name, for messages.
        provider: `auto` takes CUDA where it works.

    Raises:
        ModelError: the bytes can't be used, with the reason.
        ModelContractError: the contract is broken or the probe disagrees.
        ProviderError: `cuda` was asked for and is not active.
    """

    def __init__(self, data: bytes, *, name: str, provider: Provider = "auto") -> None:
        self.contract: Contract = read_contract(_scan(data, name).metadata, name=name)
        self._session = _session(data, name, provider)
        self.provider = "cuda" if "CUDAExecutionProvider" in self._session.get_providers() else "cpu"
        try:
            self._check_shapes(name)
            self._check_probe(name)
        except ModelError:
            raise
        except Exception as error:  # a graph that opens and can't run, names that are no text
            raise ModelError(
                f"{name}: ONNX Runtime can't run it: {_first_line(error)}", remedy=REMEDY
            ) from error

    @classmethod
    def load(cls, path: str | Path | None = None, *, provider: Provider = "auto") -> "Model":
        """Load a file, or an embedded model: the default one, or another by its name."""
        name = "default" if path is None else str(path)
        path = Path(str(files("streamer.model") / f"{name}.onnx")) if name in SHIPPED_MODELS else Path(name)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ModelError(
                    f"{path}: {path.stat().st_size >> 20} MB is no model of ours",
                    remedy=f"give --model a genrecast model file of at most {MAX_BYTES >> 20} MB",
                )
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"{path}: can't be read: {error.strerror}",
                remedy=f"give --model an existing file, or one of {', '.join(SHIPPED_MODELS)}",
            ) from error
        return cls(data, name=path.name, provider=provider)

    def infer(self, frames: Frames) -> NDArray[np.float32]:
        """Take (batch, n_frames, n_mels) float32; give (batch, n_labels) calibrated probabilities."""
        probabilities: NDArray[np.float32] = self._session.run(["probabilities"], {"frames": frames})[0]
        return probabilities

    def _check_shapes(self, name: str) -> None:
        front = self.contract.front_end
        wanted = {
            "input": ("frames", [front.n_frames, front.n_mels]),
            "output": ("probabilities", [len(self.contract.labels)]),
        }
        found = {"input": self._session.get_inputs(), "output": self._session.get_outputs()}
        for side, (tensor, shape) in wanted.items():
            match = [t for t in found[side] if t.name == tensor]
            if (
                len(match) != 1
                or match[0].shape[1:] != shape
                or isinstance(match[0].shape[0], int)
                or match[0].type != "tensor(float)"
            ):
                raise ModelContractError(
                    f"{name}: the graph has no {side} '{tensor}' of (batch, *{shape}) floats",
                    remedy=REMEDY,
                )

    def _check_probe(self, name: str) -> None:
        probe, front = self.contract.probe, self.contract.front_end
        frames, _ = MelStream(front).push(probe_samples(probe.seed, front.window_samples))
        # Twice in a batch: a graph may only pretend to take any number of windows.
        answer = self.infer(np.stack([frames, frames]))[1]
        difference = np.abs(answer - np.asarray(probe.probabilities, np.float32))
        worst = int(np.nanargmax(difference)) if np.isfinite(answer).all() else 0
        if not difference[worst] <= probe.tolerance:
            raise ModelContractError(
                f"{name}: the probe gives {answer[worst]:.6f} for '{self.contract.labels[worst]}', the file "
                f"promises {probe.probabilities[worst]:.6f} within {probe.tolerance:g}",
                remedy="the file is damaged or was exported for another front end: " + REMEDY,
            )


def _scan(data: bytes, name: str) -> OnnxFile:
    """Refuse what ONNX Runtime must not see, or can't say anything helpful about."""
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
    for domain, version in file.opsets.items():
        if domain not in OUR_DOMAINS:
            raise ModelError(f"{name}: it needs the operators of '{domain[:60]}'", remedy=REMEDY)
        if domain in ("", "ai.onnx") and version not in OPSETS:
            raise ModelError(
                f"{name}: operator set {version} is not one of {OPSETS.start} to {OPSETS.stop - 1}",
                remedy="convert it with onnx.version_converter or export it again",
            )
    return file


def _session(data: bytes, name: str, provider: Provider) -> ort.InferenceSession:
    """Open the session: one thread and no spinning, since stations are what runs in parallel."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    have_cuda = "CUDAExecutionProvider" in ort.get_available_providers()
    wanted = ["CPUExecutionProvider"]
    if provider == "cuda" or (provider == "auto" and have_cuda):
        wanted.insert(0, "CUDAExecutionProvider")
    remedy = "install onnxruntime-gpu with its CUDA libraries, or use --provider cpu"
    if provider == "cuda" and not have_cuda:
        raise ProviderError("CUDA was asked for, and this ONNX Runtime is built without it", remedy=remedy)
    try:
        session = ort.InferenceSession(data, options, providers=wanted)
    except Exception as error:  # the runtime raises bare classes of its own making
        raise ModelError(f"{name}: ONNX Runtime refuses it: {_first_line(error)}", remedy=REMEDY) from error
    if provider == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
        raise ProviderError("CUDA was asked for, and ONNX Runtime could not start it", remedy=remedy)
    return session


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _is_batch(tensor: Any, shape: list[int]) -> bool:
    """Say whether a tensor takes any number of floats of a shape."""
    batch, *rest = tensor.shape
    return not isinstance(batch, int) and rest == shape and tensor.type == "tensor(float)"
