"""Trains a recipe's folds in every setting of a sweep, and says what each setting was worth.

The runs lie where `evaluate` looks for them, under the folder of their setting: `split{S}/fold{K}`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from training import predict
from training.ask import Answers, ask
from training.checkpoint import RunState
from training.figures import figures_of
from training.fit import Job
from training.folds import folds_of
from training.settings import Setting
from training.store import PreparedSet, write_json
from training.tables import interval, number

HOP_S = 0.5  # as `evaluate` has it
HOW = {
    "dev": "sorted by the dev part: the clips that were held out took no part in the choice",
    "dev-of-folds": (
        "sorted by the dev parts, whose clips are held out in other folds: "
        "the figures of the first are somewhat optimistic"
    ),
    "held-out": (
        "sorted by the very clips that were held out: the figures of the first are optimistic, "
        "the more so the more was tried; a recipe with a dev_share is chosen by its dev parts"
    ),
}


def sweep(
    job: Job,
    settings: Sequence[Setting],
    split_seeds: Sequence[int],
    train: Callable[[Sequence[Job]], None],
) -> dict[str, Any]:
    """Train every setting on every fold, or on the one that the job names; write `sweep.json`; print a table.

    Args:
        job: what else there is to say of each training; its folder is that of all.
        settings: one or more.
        split_seeds: of the folds.
        train: trains jobs, wherever.
    """
    runs = {
        setting.name: folds_of(
            replace(job, recipe=setting.recipe, out=job.out / setting.name), split_seeds=split_seeds
        )
        for setting in settings
    }
    train([run for of_setting in runs.values() for run in of_setting])
    prepared = PreparedSet(job.data)
    rows: list[dict[str, Any]] = []
    states: list[RunState] = []
    for setting in settings:
        answers = [ask(run.out, prepared, hop_s=HOP_S) for run in runs[setting.name]]
        rows.append({"name": setting.name, "values": setting.values, **_figures(answers, prepared)})
        states += [answer.state for answer in answers]
    by = chosen_by(states)
    figure = "held_out_nll" if by == "held-out" else "dev_nll"
    found = {
        "recipe": job.recipe.name,
        "of": rows[0]["accuracy"]["of"],
        "chosen_by": by,
        "how": HOW[by],
        "settings": sorted(rows, key=lambda row: row[figure]),
    }
    write_json(job.out / "sweep.json", found)
    _tell(found)
    print(f"sweep.json and the runs are in {job.out}")
    return found


def _figures(answers: Sequence[Answers], prepared: PreparedSet) -> dict[str, Any]:
    """Give a setting's figures: those of `evaluate`, and the mean over its runs of the NLL of windows."""
    figures = figures_of(answers)
    dev = [_dev_nll(answer, prepared) for answer in answers if answer.state.dev]
    held_out = [predict.nll(answer.logits, answer.targets, 1.0) for answer in answers]
    return {
        "runs": len(answers),
        "dev_nll": float(np.mean(dev)) if dev else None,
        "held_out_nll": float(np.mean(held_out)),
        **{key: figures[key] for key in ("accuracy", "balanced_accuracy", "balanced_accuracy_interval")},
    }


def _dev_nll(answer: Answers, prepared: PreparedSet) -> float:
    """Ask a run about its dev part."""
    dev = set(answer.state.dev)
    clips = [clip for clip in prepared.clips if clip.id in dev]
    logits, targets, _ = predict.clip_logits(answer.net, prepared, clips, answer.state.labels, hop_s=HOP_S)
    return predict.nll(logits, targets, 1.0)


def chosen_by(states: Sequence[RunState]) -> str:
    """Say what settings are chosen by, as `HOW` has it: the dev parts, where they are the same for all."""
    parts = {(state.split_seed, state.fold): state.dev for state in states}
    if not all(state.dev and state.dev == parts[state.split_seed, state.fold] for state in states):
        return "held-out"
    dev = {clip for state in states for clip in state.dev}
    return "dev-of-folds" if any(dev & set(state.held_out) for state in states) else "dev"


def _tell(found: dict[str, Any]) -> None:
    rows = found["settings"]
    names = [row["name"] or found["recipe"] for row in rows]
    width = max(map(len, names))
    print(f"{'':{width}}  dev NLL  held-out NLL  accuracy (95% over groups)  balanced")
    for name, row in zip(names, rows, strict=True):
        accuracy = row["accuracy"]
        print(f"{name:{width}}  {number(row['dev_nll']):>7}  {number(row['held_out_nll']):>12}", end="  ")
        print(f"{number(accuracy['value']):>8} ({interval(accuracy)})  {number(row['balanced_accuracy']):>8}")
    print(f"of {found['of']}")
    if len(rows) > 1:
        print(f"{found['how']}; ask the chosen one about clips that took no part")
