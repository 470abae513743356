"""Checkpoint to model file: the graph, the contract in its metadata, and the probe that proves both."""

from pathlib import Path
from typing import Any, TypeVar

import msgspec
import onnx
import onnxruntime as ort

from export.graph import build, cut_of
from streamer.contract import (
    Accuracy,
    Contract,
    Decision,
    FrontEnd,
    Probe,
    probe_samples,
    read_contract,
    write_contract,
)
from streamer.signal.mel import MelStream
from streamer.whole import write_whole
from training.errors import RunError
from training.fit import load_net

PROBE_SEED = 6
PROBE_TOLERANCE = 1e-3  # other processors and providers round differently; a wrong front end is off by 0.1
Kind = TypeVar("Kind")
TEMPERATURE_KEY = "export.temperature"  # for `verify` alone: the streamer gets it inside the graph


class Evaluation(msgspec.Struct, frozen=True):
    """What is needed of `evaluation.json`, as `python -m training evaluate` writes it."""

    temperature: float
    accuracy: Accuracy


class Tuning(msgspec.Struct, frozen=True):
    """What is needed of `tune.json`, as `python -m training tune` writes it."""

    decision: Decision


def convert(
    checkpoint: Path, out: Path, *, evaluation: Path | None, name: str, tuning: Path | None = None
) -> Contract:
    """Write a model file that the streamer accepts.

    Args:
        checkpoint: folder of a run.
        out: the file to write.
        evaluation: `evaluation.json` of the recipe's folds: temperature and accuracy come from it;
            without it the temperature is the checkpoint's own, and the accuracy is 0 "of nothing".
        name: what messages call the model.
        tuning: `tune.json`: how windows become verdicts; as the run's recipe says where None.

    Raises:
        RunError: the checkpoint, the evaluation or the tuning can't be used.
        ModelContractError: the contract contradicts itself.
    """
    state, net = load_net(checkpoint)
    if not state.done:
        raise RunError(
            f"{checkpoint} stands at step {state.step} of {state.recipe.fit.steps}",
            remedy="finish it with 'python -m training fit --resume'",
        )
    recipe, front = state.recipe, state.recipe.front_end
    found = _evaluation(evaluation, state.temperature)
    model = build(net, n_frames=front.n_frames, n_mels=front.n_mels, temperature=found.temperature)
    contract = Contract(
        labels=tuple(state.labels),
        not_music=tuple(label for label in state.labels if label in recipe.not_music),
        front_end=front,
        decision=_tuned(tuning) if tuning else recipe.decision,
        accuracy=found.accuracy,
        probe=Probe(
            seed=PROBE_SEED,
            probabilities=probe_answer(model, front, PROBE_SEED),
            tolerance=PROBE_TOLERANCE,
        ),
        name=name,
        training_data=recipe.training_data,
        licence=recipe.licence,
        recipe=recipe.name,
        commit=state.commit,
        seed=state.seed,
        **cut_of(net, front.n_frames)._asdict(),
    )
    data = seal(model, contract, name=out.name, temperature=repr(found.temperature))
    write_whole(out, data)
    return contract


def seal(model: onnx.ModelProto, contract: Contract, *, name: str, temperature: str) -> bytes:
    """Give the bytes of a model file with its contract.

    Raises:
        ModelContractError: the contract contradicts itself.
    """
    metadata = write_contract(contract)
    read_contract(metadata, name=name)  # what the streamer would refuse is not written
    model.producer_name, model.producer_version = "genrecast", ""
    onnx.helper.set_model_props(model, {**metadata, TEMPERATURE_KEY: temperature})
    onnx.checker.check_model(model, full_check=True)
    data: bytes = model.SerializeToString()
    return data


def session(model: bytes) -> Any:
    """Open an ONNX Runtime session as the streamer does: one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def probe_answer(model: onnx.ModelProto, front: FrontEnd, seed: int) -> tuple[float, ...]:
    """Give the model's answer to a probe, the whole front end included, as the contract states it."""
    frames, _ = MelStream(front).push(probe_samples(seed, front.window_samples))
    answer = session(model.SerializeToString()).run(None, {"frames": frames[None]})[0][0]
    return tuple(round(float(p), 7) for p in answer)


def _evaluation(path: Path | None, temperature: float) -> Evaluation:
    if path is None:
        return Evaluation(temperature, Accuracy(value=0.0, low=0.0, high=1.0, of="nothing: not evaluated"))
    remedy = "give the evaluation.json that 'python -m training evaluate --out' wrote"
    return _read(path, Evaluation, "evaluation", remedy)


def _tuned(path: Path) -> Decision:
    remedy = "give the JSON file that 'python -m training tune --out' wrote"
    return _read(path, Tuning, "tuning", remedy).decision


def _read(path: Path, kind: type[Kind], what: str, remedy: str) -> Kind:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise RunError(f"{path}: no {what}: {error}", remedy=remedy) from error
