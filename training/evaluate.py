"""What a recipe is worth on groups that it has not heard: one command, `evaluation.json` and a report.

Runs are asked (`training.ask`), their answers become figures (`training.figures`), and these, with
whatever else was asked for (leaky folds, changed sound, unseen genres, other models), are written as
JSON, as one HTML page and as Markdown tables. Given runs sort themselves: one that does not know a
label of the set is asked about that label; one of a leaky split stands beside the honest ones.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from training import checkpoint
from training.ask import ask, check_together, temperatures_of
from training.errors import DataError, RunError
from training.figures import figures_of
from training.fit import Job
from training.folds import Cluster, folds_of, train_all
from training.plots import confusion_plot, curves_plot
from training.recipe import Recipe
from training.report import write_report
from training.robustness import robustness_figures
from training.store import PreparedSet, write_json
from training.unseen import jobs_without, unseen_figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What an evaluation is asked for beyond the figures of the runs.

    Attributes:
        split_seeds: of the folds.
        hop_s: seconds from window to window.
        jobs: processes that train or change sound at once.
        cluster: where to train instead; None: here.
        leaky: train the same recipe on folds made clip by clip, and show what that would have claimed.
        audio: folder that clip ids are relative to: ask about changed sound; None: don't.
        robustness_clips: of each label; None: all.
        unseen: genres to leave out of a training in turn, all where empty; None: don't.
        unseen_recipe: of these trainings; None: the same.
        baselines, tune: JSON files of other commands, to be shown beside.
        command: as it was typed, for the reader.
    """

    split_seeds: tuple[int, ...] = (1,)
    hop_s: float = 0.5
    jobs: int = 1
    cluster: Cluster | None = None
    leaky: bool = False
    audio: Path | None = None
    robustness_clips: int | None = None
    unseen: tuple[str, ...] | None = None
    unseen_recipe: Recipe | None = None
    baselines: Path | None = None
    tune: Path | None = None
    command: str = ""


def evaluate(runs: Sequence[Path], job: Job, question: Question) -> dict[str, Any]:
    """Evaluate runs, or the folds of a recipe where none is given; write everything; print a summary.

    Args:
        runs: folders of runs that each held a fold out.
        job: recipe, set, folder of the output, and how runs are trained where they are missing.
        question: what else is wanted.

    Raises:
        RunError: a run can't be asked about anything, or the runs don't belong together.
        SplitError: a group of a held-out clip was among those that taught the run.
    """
    prepared = PreparedSet(job.data)
    others = {name: _read(path) for name, path in _files(question) if path is not None}
    honest, leaky, unseen = _sorted(runs, prepared)
    if not runs:
        honest = _train(folds_of(job, split_seeds=question.split_seeds), question)
    if not honest:
        raise RunError(
            "none of the runs can give a figure", remedy="give runs of the folds of the whole set too"
        )
    if question.leaky:
        beside = replace(job, split="leaky-folds", out=job.out / "leaky")
        leaky += _train(folds_of(beside, split_seeds=question.split_seeds), question)
    if question.unseen is not None:
        without = replace(job, recipe=question.unseen_recipe or job.recipe)
        unseen += _train(jobs_without(without, prepared, question.unseen), question)
    job.out.mkdir(parents=True, exist_ok=True)
    figures = _all_figures(prepared, question, honest, leaky, unseen) | others
    _write(figures, job.out)
    _tell(figures, job.out)
    return figures


def _all_figures(
    prepared: PreparedSet,
    question: Question,
    honest: Sequence[Path],
    leaky: Sequence[Path],
    unseen: Sequence[Path],
) -> dict[str, Any]:
    answers = [ask(run, prepared, hop_s=question.hop_s) for run in honest]
    check_together([answer.state for answer in answers])
    figures = figures_of(answers)
    figures |= {
        "evaluated_at_commit": checkpoint.commit(),
        "command": question.command,
        "hop_s": question.hop_s,
    }
    figures["data"] = _data(prepared)
    if leaky:
        beside = [ask(run, prepared, hop_s=question.hop_s) for run in leaky]
        check_together([answer.state for answer in beside])
        if not beside[0].state.recipe.trains_as(answers[0].state.recipe):
            raise RunError("the leaky runs are of another recipe", remedy="evaluate one recipe at a time")
        figures["leaky_figures"] = figures_of(beside)
    if question.audio is not None:
        figures["robustness"] = robustness_figures(
            answers,
            temperatures_of(answers),
            question.audio,
            clips_per_label=question.robustness_clips,
            hop_s=question.hop_s,
            jobs=question.jobs,
        )
    if unseen:
        figures["unseen"] = unseen_figures(unseen, prepared, hop_s=question.hop_s)
    return figures


def _sorted(runs: Sequence[Path], prepared: PreparedSet) -> tuple[list[Path], list[Path], list[Path]]:
    """Tell honest runs, leaky ones and ones that lack a label apart; leaky alone are all there is to show."""
    honest: list[Path] = []
    leaky: list[Path] = []
    unseen: list[Path] = []
    for run in runs:
        state, _ = checkpoint.load(run)
        lacks = set(prepared.labels) - set(state.labels)
        (unseen if lacks else leaky if state.leaky else honest).append(run)
    return (honest, leaky, unseen) if honest else (leaky, [], unseen)


def _train(jobs: Sequence[Job], question: Question) -> list[Path]:
    train_all(jobs, question.jobs, question.cluster)
    return [job.out for job in jobs]


def _data(prepared: PreparedSet) -> dict[str, Any]:
    """Summarise the set: clips, groups and hours of each label, and clips of each licence."""
    groups = Counter(label for label, _ in {(clip.label, clip.group) for clip in prepared.clips})
    hours: Counter[str] = Counter()
    for clip in prepared.clips:
        hours[clip.label] += clip.frames * prepared.front_end.frame_s / 3600
    clips = Counter(clip.label for clip in prepared.clips)
    return {
        "clips": len(prepared.clips),
        "groups": len({clip.group for clip in prepared.clips}),
        "hours": sum(hours.values()),
        "labels": {
            label: {"clips": clips[label], "groups": groups[label], "hours": hours[label]}
            for label in prepared.labels
        },
        "licences": dict(Counter(clip.licence or "not stated" for clip in prepared.clips).most_common()),
    }


def _files(question: Question) -> list[tuple[str, Path | None]]:
    return [("baselines", question.baselines), ("tune", question.tune)]


def _read(path: Path) -> dict[str, Any]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(
            f"{path}: no JSON object: {error}", remedy="give the file that the other command wrote"
        ) from error


def _write(figures: dict[str, Any], out: Path) -> None:
    write_json(out / "evaluation.json", figures)
    sizes = [figures["by_label"][label]["clips"] for label in figures["labels"]]
    confusion_plot(figures["confusion"], figures["labels"], sizes).savefig(out / "confusion.png", dpi=110)
    curves_plot(figures["curves"]).savefig(out / "curves.png", dpi=110)
    # As a reader of the JSON has it: what is no number is None.
    write_report(msgspec.json.decode((out / "evaluation.json").read_bytes()), out)


def _tell(figures: dict[str, Any], out: Path) -> None:
    accuracy, windows = figures["accuracy"], figures["calibration"]["windows"]
    balanced = figures["balanced_accuracy_interval"]
    print(f"{accuracy['of']}: {accuracy['value']:.3f}", end=" ")
    print(f"(95% over groups {accuracy['low']:.3f} to {accuracy['high']:.3f})")
    for seed, own in figures["by_split_seed"].items():
        print(f"  split seed {seed}: {own['accuracy']:.3f}, balanced {own['balanced_accuracy']:.3f}")
    print(f"  balanced {figures['balanced_accuracy']:.3f} ", end="")
    print(
        f"({balanced['low']:.3f} to {balanced['high']:.3f}), macro-F1 {figures['macro_f1']:.3f} over genres"
    )
    print(f"  segments {figures['segments']['accuracy']:.3f}, ECE {windows['ece']:.3f}", end=" ")
    print(f"(before the temperature {windows['ece_before']:.3f})")
    gates = {k: v for k, v in figures["gates"].items() if k != "unsure_below" and np.isfinite(v)}
    print("  windows: " + ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in gates.items()))
    found = figures["by_label"]
    print("  recall " + ", ".join(f"{label} {row['recall']:.2f}" for label, row in found.items()))
    if "leaky_figures" in figures:
        leaky = figures["leaky_figures"]["accuracy"]
        print(f"  {leaky['of']}: {leaky['value']:.3f}")
    print(f"  temperature {figures['temperature']:.3f}; report.html and the rest in {out}")
