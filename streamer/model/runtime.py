"""ONNX Runtime, set for this work: many small calls, in processes that each have a core."""

import onnxruntime as ort

from streamer.config import Provider
from streamer.contract import REMEDY
from streamer.errors import ModelError, ProviderError
from streamer.text import first_line

ort.disable_telemetry_events()  # some builds keep a device id and a database of events in ~/.cache

MAX_SAID = 200  # characters of what the runtime says of an error
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
# Shapes differ from call to call: a search of the fastest kernel for each would stop all stations.
# Products of 10 bits (TF32) are further off than what a probe may be.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}


def open_session(data: bytes, *, name: str, provider: Provider) -> ort.InferenceSession:
    """Open a session: one thread and no spinning, since stations are what runs in parallel.

    Args:
        data: a model that `onnx_file.scan` has been through.
        name: the file's name, for messages.
        provider: `auto` takes CUDA where it works.

    Raises:
        ModelError: ONNX Runtime refuses it.
        ProviderError: `cuda` was asked for and is not active.
    """
    have_cuda = CUDA in ort.get_available_providers()
    remedy = "install onnxruntime-gpu with its CUDA libraries, or use --provider cpu"
    if provider == "cuda" and not have_cuda:
        raise ProviderError("CUDA was asked for, and this ONNX Runtime is built without it", remedy=remedy)
    wanted: list[str | tuple[str, dict[str, str]]] = [CPU]
    if have_cuda and provider != "cpu":
        wanted.insert(0, (CUDA, CUDA_OPTIONS))
    try:
        session = ort.InferenceSession(data, _options(), providers=wanted)
    except Exception as error:  # the runtime raises bare classes of its own making
        raise ModelError(
            f"{name}: ONNX Runtime refuses it: {first_line(error)[:MAX_SAID]}", remedy=REMEDY
        ) from error
    if provider == "cuda":
        if CUDA not in session.get_providers():
            raise ProviderError("CUDA was asked for, and ONNX Runtime could not start it", remedy=remedy)
        session.disable_fallback()  # it would go on with the CPU and tell nobody
    return session


def _options() -> ort.SessionOptions:
    """Give the settings; what each gives is in docs/performance.md."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # All: blocks of channels, which the shipped graph is made for, are of the last level.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # A plan of the memory is kept for each shape that was ever seen, and batches have many.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options
