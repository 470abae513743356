"""Fits the linear head of `training.tagger`: what a run is for a recipe whose network is the teacher."""

from pathlib import Path

import torch
from sklearn.metrics import log_loss

from training import checkpoint
from training.assistant import Assistant
from training.batches import TaughtBatches
from training.checkpoint import Point, RunState
from training.errors import RunError
from training.store import PreparedSet
from training.tagger import TaggerNet, read_tagger
from training.teaching import TeachingSet


def fit_head(
    state: RunState, prepared: PreparedSet, sets: list[TeachingSet], teacher: Path | None, out: Path
) -> RunState:
    """Fit the head to the labelled views that may teach, and write the run's folder.

    Args:
        state: of the run, at step 0.
        prepared: the set.
        sets: teaching sets, labelled by this teacher.
        teacher: its ONNX file.
        out: the run's folder.

    Raises:
        RunError: no teacher is given.
        DataError: the teacher is of other sizes than the recipe's, or no view may teach.
    """
    if teacher is None or teacher.suffix != ".onnx":
        raise RunError(
            f"recipe '{state.recipe.name}' is a teacher with a head, and none is given",
            remedy="give --begin-from TEACHER.onnx",
        )
    net = TaggerNet(state.recipe.net, n_labels=len(state.labels))
    read_tagger(net, teacher)
    group_of = {clip.id: clip.group for clip in prepared.clips}
    recipe, groups = state.recipe, set(state.train_groups)
    batches = TaughtBatches(sets, group_of, groups, recipe, recipe.distil, state.labels)
    said, targets, state.taught_by = batches.labelled.said(), batches.labelled.targets, batches.used
    head = Assistant(said, targets, len(state.labels))
    with torch.no_grad():
        for tensor, value in zip((net.head.weight, net.head.bias), head.linear(), strict=True):
            tensor.copy_(torch.from_numpy(value))
    genres = head.genres(said)
    state.begun_from, state.step = teacher.name, state.recipe.fit.steps
    state.curves.append(
        Point(
            step=state.step,
            rate=0.0,
            loss=float(log_loss(targets, genres, labels=range(len(state.labels)))),
            accuracy=float((genres.argmax(axis=1) == targets).mean()),
        )
    )
    out.mkdir(parents=True, exist_ok=True)
    checkpoint.save(out, state, {f"net.{key}": value for key, value in net.state_dict().items()})
    return state
