"""`python -m training`: prepare a data set, fit a recipe, evaluate runs, tune the decision."""

import argparse
import shlex
import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from training import options as takes
from training.console import guarded, out
from training.datasets import READERS, Clip, LeftOut, Reader
from training.datasets.fma import FmaReader
from training.datasets.gtzan import GtzanReader
from training.datasets.unlabelled import UnlabelledReader


def main(arguments: list[str] | None = None) -> int:
    """Run one command; give its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that processes at work are ended with it
    return guarded(lambda: options.run(options), name=f"training {options.command}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, words, add, run in (
        ("prepare", "decode a data set to log-mel arrays", takes.prepare, _prepare),
        ("teach", "make random views of clips, each labelled by a teacher", takes.teach, _teach),
        ("fit", "train a recipe on a prepared set", takes.fit, _fit),
        ("evaluate", "figures, tables and plots of runs, or of a recipe's folds", takes.evaluate, _evaluate),
        ("baseline", "classical classifiers on the same folds", takes.baseline, _baseline),
        ("explain", "what in a clip drove a run's answer, as pictures", takes.explain, _explain),
        ("tune", "fit how windows become verdicts, on held-out programmes", takes.tune, _tune),
    ):
        command = commands.add_parser(name, help=words)
        add(command)
        command.set_defaults(run=run)
    return parser


def _prepare(options: argparse.Namespace) -> None:
    from training.prepare import prepare
    from training.prepare_report import tell
    from training.recipe import read_recipe

    report = prepare(
        _reader(options), options.out, read_recipe(options.recipe).front_end, jobs=options.jobs, console=out
    )
    tell(report, options.out)


def _reader(options: argparse.Namespace) -> Reader:
    if options.fma is not None:
        return FmaReader(options.fma, subset=options.fma_subset)
    if options.gtzan is not None:
        return GtzanReader(options.gtzan, official=not options.no_official)
    readers = {**READERS, "music": UnlabelledReader}
    name = next(name for name in readers if getattr(options, name, None) is not None)
    return readers[name](getattr(options, name))


def _teach(options: argparse.Namespace) -> None:
    from training.recipe import read_recipe
    from training.teach import teach

    listed = list(_reader(options).clips())
    count, left_out = teach(
        [clip for clip in listed if isinstance(clip, Clip)], options.out,
        read_recipe(options.recipe).front_end, options.teacher,
        views=options.views, seed=options.seed, jobs=options.jobs, console=out,
    )  # fmt: skip
    left_out |= Counter(item.reason for item in listed if isinstance(item, LeftOut))
    print(f"{count} views in {options.out}; clips left out: {left_out or 'none'}")


def _fit(options: argparse.Namespace) -> None:
    if options.all_folds or options.split_seeds or options.sweep:
        _fit_many(options)
        return
    from training.checkpoint import load
    from training.fit import fit
    from training.folds import train_all

    job = _job(options, options.fold, options.out, split_seed=options.split_seed)
    if options.ray is None:
        state = fit(job, resume=options.resume, stop_after=options.stop_after)
    else:
        _refuse(options, "stop_after", "--ray")
        train_all([job], cluster=_cluster(options))
        state, _ = load(job.out)
    last = state.curves[-1]
    print(f"{options.out}: step {state.step} of {job.recipe.fit.steps}, loss {last.loss:.3f}", end="")
    held_out = last.held_out_accuracy
    print("" if held_out is None else f", accuracy of held-out windows {held_out:.3f}")


def _fit_many(options: argparse.Namespace) -> None:
    from training.errors import RunError
    from training.folds import train_all
    from training.settings import settings_of
    from training.sweep import sweep

    _refuse(options, "stop_after", "--all-folds, --split-seeds or --sweep")
    if options.all_folds:
        _refuse(options, "fold", "--all-folds")
    elif options.fold is None and options.split.endswith("folds"):
        raise RunError("nothing is held out to compare the runs by", remedy="give --all-folds, or --fold K")
    job = _job(options, options.fold, options.out, split_seed=options.split_seed)
    settings = settings_of(job.recipe, options.sweep)
    train = partial(train_all, parallel=options.jobs, cluster=_cluster(options))
    sweep(job, settings, options.split_seeds or (options.split_seed,), train)


def _refuse(options: argparse.Namespace, name: str, beside: str) -> None:
    """Refuse an option beside another that leaves it without a meaning."""
    from training.errors import RunError

    if getattr(options, name) is not None:
        raise RunError(
            f"--{name.replace('_', '-')} means nothing beside {beside}", remedy="give one or the other"
        )


def _cluster(options: argparse.Namespace):
    from training.folds import Cluster

    if options.ray is None:
        return None
    return Cluster(address=options.ray, cpus=options.cpus_per_trial, gpus=options.gpus_per_trial)


def _evaluate(options: argparse.Namespace) -> None:
    from training.evaluate import Question, evaluate
    from training.recipe import read_recipe

    question = Question(
        split_seeds=options.split_seeds,
        hop_s=options.hop,
        jobs=options.jobs,
        cluster=_cluster(options),
        leaky=options.leaky,
        audio=options.audio,
        robustness_clips=options.robustness_clips,
        unseen=None if options.unseen is None else tuple(options.unseen),
        unseen_recipe=None if options.unseen_recipe is None else read_recipe(options.unseen_recipe),
        baselines=options.baselines,
        tune=options.tune,
        command=shlex.join(["python", "-m", "training", *sys.argv[1:]]),
    )
    evaluate(options.runs, _job(options, None, options.out, split_seed=options.split_seeds[0]), question)


def _baseline(options: argparse.Namespace) -> None:
    from training.baselines import Inquiry, baseline
    from training.recipe import read_recipe
    from training.soft_labels import read_soft_labels

    inquiry = Inquiry(
        data=options.data,
        models=options.models,
        not_music=read_recipe(options.recipe).not_music,
        soft_labels=None if options.labels is None else read_soft_labels(options.labels),
        folds=options.folds,
        split_seeds=options.split_seeds,
        jobs=options.jobs,
    )
    baseline(inquiry, options.out)


def _explain(options: argparse.Namespace) -> None:
    from training.errors import DataError
    from training.explain import draw_filters, explain

    out = options.out or (options.trained if options.trained.is_dir() else options.trained.parent) / "explain"
    if options.filters:
        draw_filters(options.trained, out)
        print(f"{out / 'filters.png'}")
    elif options.clip is None:
        raise DataError("no CLIP is given", remedy="name an audio file, or give --filters to see the kernels")
    else:
        explain(options.clip, options.trained, out, at_s=options.at)


def _tune(options: argparse.Namespace) -> None:
    import torch

    from training.tune import tune

    if options.threads:
        torch.set_num_threads(options.threads)
    tune(
        options.runs,
        options.data,
        options.out,
        hop_s=options.hop,
        shortest_s=options.shortest,
        settings=options.settings,
        seed=options.seed,
    )


def _job(options: argparse.Namespace, fold: int | None, run: Path, *, split_seed: int):
    from training.fit import Job
    from training.recipe import read_recipe

    recipe = read_recipe(options.recipe)
    return Job(
        recipe=recipe,
        data=options.data,
        out=run,
        seed=recipe.seed if options.seed is None else options.seed,
        fold=fold,
        folds=options.folds,
        split_seed=split_seed,
        split=options.split,
        teach=options.teach,
        begin_from=options.begin_from,
        tensorboard=getattr(options, "tensorboard", False),
        device=options.device,
        threads=options.threads,
    )


if __name__ == "__main__":
    sys.exit(main())
