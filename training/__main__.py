"""`python -m training`: prepare a data set, fit a recipe, evaluate runs, tune the decision."""

import argparse
import re
import shlex
import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path

from training.console import guarded, out
from training.datasets import READERS, Clip, LeftOut, Reader
from training.datasets.fma import SUBSETS, FmaReader
from training.datasets.gtzan import GtzanReader
from training.datasets.unlabelled import UnlabelledReader
from training.splits import KINDS


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
    prepare = commands.add_parser("prepare", help="decode a data set to log-mel arrays")
    _set_options(prepare, READERS)
    prepare.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the prepared set")
    prepare.add_argument("--recipe", default="base", help="whose front end to use (default: base)")
    prepare.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")
    prepare.set_defaults(run=_prepare)

    teach = commands.add_parser("teach", help="make random views of clips, each labelled by a teacher")
    _set_options(teach, {**READERS, "music": UnlabelledReader})
    teach.add_argument("--teacher", type=Path, required=True, metavar="ONNX", help="the teacher's model file")
    teach.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the teaching set")
    teach.add_argument("--views", type=int, default=4, metavar="N", help="of each piece of 30 s (default: 4)")
    teach.add_argument("--seed", type=int, default=1, help="of all chance (default: 1)")
    teach.add_argument("--recipe", default="base", help="whose front end to use (default: base)")
    teach.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")
    teach.set_defaults(run=_teach)

    fit = commands.add_parser("fit", help="train a recipe on a prepared set")
    _data_options(fit)
    _fit_options(fit)
    _evaluate_options(
        commands.add_parser("evaluate", help="figures, tables and plots of runs, or of a recipe's folds")
    )
    _baseline_options(commands.add_parser("baseline", help="classical classifiers on the same folds"))
    _explain_options(commands.add_parser("explain", help="what in a clip drove a run's answer, as pictures"))
    _tune_options(commands.add_parser("tune", help="fit how windows become verdicts, on held-out programmes"))
    return parser


def _fit_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run, or of all")
    parser.add_argument("--split-seed", type=int, default=1, metavar="SEED", help="of the folds (default: 1)")
    parser.add_argument(
        "--fold", type=int, metavar="K", help="hold fold K out (default: train on everything)"
    )
    parser.add_argument("--tensorboard", action="store_true", help="write the curves for TensorBoard, too")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--stop-after", type=int, metavar="STEP", help="stop there as if interrupted")
    many = parser.add_argument_group(
        "many runs", "in folders under --out; the same command goes on with what is there"
    )
    many.add_argument("--all-folds", action="store_true", help="hold each fold out in turn")
    many.add_argument("--split-seeds", type=_integers, metavar="A,B,..", help="each of these, too")
    many.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="KEY=V,W,..",
        help="try these values of a recipe's key (fit.rate=0.01,0.02), and all combinations if given again",
    )
    many.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at once (1)")
    _cluster_options(parser)
    parser.set_defaults(run=_fit)


def _cluster_options(parser: argparse.ArgumentParser) -> None:
    cluster = parser.add_argument_group("on a Ray cluster", "of which this machine is one")
    cluster.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        metavar="HOST:PORT",
        help="train there instead (default: the cluster that runs here; 'local' starts one)",
    )
    cluster.add_argument(
        "--cpus-per-trial", type=_count, default=1, metavar="N", help="cores and threads of a training (1)"
    )
    cluster.add_argument(
        "--gpus-per-trial", type=_gpus, metavar="N", help="or a share of one (default: 1 where there is any)"
    )


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs", nargs="*", type=Path, metavar="RUN", help="runs of folds (default: train what is missing)"
    )
    _data_options(parser)
    parser.add_argument(
        "--split-seeds", type=_integers, default=(1,), metavar="A,B,..", help="of the folds (1)"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of figures and runs")
    parser.add_argument(
        "--hop", type=float, default=0.5, metavar="SECONDS", help="from window to window (0.5)"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes at once (1)")
    parser.add_argument(
        "--leaky", action="store_true", help="the same on folds made clip by clip, marked LEAKY"
    )
    parser.add_argument(
        "--audio", type=Path, metavar="ROOT", help="folder of the clips: ask about changed sound"
    )
    parser.add_argument("--robustness-clips", type=int, metavar="N", help="of each label (default: all)")
    parser.add_argument(
        "--unseen", nargs="*", metavar="GENRE", help="leave each out of a training in turn (all)"
    )
    parser.add_argument("--unseen-recipe", metavar="RECIPE", help="of these trainings (default: the same)")
    parser.add_argument(
        "--baselines", type=Path, metavar="JSON", help="figures of other models, to show beside"
    )
    parser.add_argument("--tune", type=Path, metavar="JSON", help="figures of programmes, to show beside")
    _cluster_options(parser)
    parser.set_defaults(run=_evaluate)


def _integers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no whole number from 1")
    return int(text)


def _gpus(text: str) -> float:
    if not re.fullmatch(r"\d+|0?\.\d+", text):  # as Ray shares them out
        raise argparse.ArgumentTypeError(f"'{text}' is neither a whole number nor a share of one")
    return float(text)


def _set_options(parser: argparse.ArgumentParser, readers: dict[str, type[Reader]]) -> None:
    sets = parser.add_mutually_exclusive_group(required=True)
    for name, reader in readers.items():
        where = {"manifest": "CSV", "music": "LIST"}.get(name, "DIR")
        sets.add_argument(f"--{name}", type=Path, metavar=where, help=(reader.__doc__ or "").splitlines()[0])
    parser.add_argument("--fma-subset", choices=SUBSETS, default="small", help="of FMA (default: small)")
    parser.add_argument(
        "--no-official",
        action="store_true",
        help="do without GTZAN's official split, for which torchaudio is needed",
    )


def _tune_options(tune: argparse.ArgumentParser) -> None:
    tune.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="runs that each held one fold out")
    tune.add_argument("--data", type=Path, required=True, metavar="DIR", help="a prepared set")
    tune.add_argument(
        "--out", type=Path, required=True, metavar="JSON", help="for 'export convert --decision'"
    )
    tune.add_argument("--hop", type=float, default=1.0, metavar="SECONDS", help="from window to window (1)")
    tune.add_argument("--shortest", type=float, default=20.0, metavar="SECONDS", help="shortest track (20)")
    tune.add_argument("--settings", type=int, default=900, metavar="N", help="how many are tried (900)")
    tune.add_argument("--seed", type=int, default=1, help="of programmes and settings (1)")
    tune.add_argument("--threads", type=int, metavar="N", help="of the processor (default: torch's own)")
    tune.set_defaults(run=_tune)


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a prepared set")
    parser.add_argument("--recipe", default="base", help="name or TOML file (default: base)")
    parser.add_argument(
        "--teach",
        type=Path,
        nargs="+",
        default=[],
        metavar="SET",
        help="teaching sets (for [distil])",
    )
    parser.add_argument(
        "--begin-from",
        type=Path,
        metavar="FROM",
        help="take over the weights of another run (a folder), or begin as a teacher (an ONNX file)",
    )
    parser.add_argument(
        "--folds", type=int, default=5, metavar="N", help="folds of the whole set (default: 5)"
    )
    parser.add_argument(
        "--split",
        choices=KINDS,
        default="folds",
        metavar="KIND",
        help=f"one of {', '.join(KINDS)} (default: folds)",
    )
    parser.add_argument("--seed", type=int, help="of the training (default: the recipe's)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor (default: torch's own)")


def _baseline_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a prepared set")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of figures and plots")
    parser.add_argument("--recipe", default="base", help="whose labels that are no music (default: base)")
    parser.add_argument(
        "--models",
        type=lambda text: text.split(","),
        metavar="NAME,...",
        help="majority, linear, svm, forest, boosting, teacher (default: all; teacher: given --labels)",
    )
    parser.add_argument("--labels", type=Path, metavar="FILE", help="a teacher's soft labels, for 'teacher'")
    parser.add_argument("--folds", type=int, default=5, metavar="N", help="of the whole set (default: 5)")
    parser.add_argument(
        "--split-seeds",
        type=lambda text: [int(seed) for seed in text.split(",")],
        default=[1],
        metavar="SEED,...",
        help="of the folds; figures are means over them (default: 1)",
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes of the search (1)")
    parser.set_defaults(run=_baseline)


def _explain_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clip", nargs="?", type=Path, metavar="CLIP", help="an audio file")
    parser.add_argument(
        "--run", dest="trained", type=Path, required=True, metavar="RUN", help="what to explain"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the files (default: RUN/explain)")
    parser.add_argument(
        "--at", type=float, metavar="SECONDS", help="explain the window from there (default: the surest one)"
    )
    parser.add_argument("--filters", action="store_true", help="draw the first layer alone; needs no CLIP")
    parser.set_defaults(run=_explain)


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
