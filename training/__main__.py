"""`python -m training`: prepare a data set, fit a recipe, evaluate runs, tune the decision."""

import argparse
import sys
from pathlib import Path

from training.console import guarded, out
from training.datasets import READERS


def main(arguments: list[str] | None = None) -> int:
    """Run one command; give its exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    return guarded(lambda: options.run(options), name=f"training {options.command}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    prepare = commands.add_parser("prepare", help="decode a data set to log-mel arrays")
    sets = prepare.add_mutually_exclusive_group(required=True)
    for name, reader in READERS.items():
        sets.add_argument(f"--{name}", type=Path, metavar="PATH", help=(reader.__doc__ or "").splitlines()[0])
    prepare.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the prepared set")
    prepare.add_argument("--recipe", default="base", help="whose front end to use (default: base)")
    prepare.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")
    prepare.set_defaults(run=_prepare)

    fit = commands.add_parser("fit", help="train a recipe on a prepared set")
    _data_options(fit)
    fit.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of the run")
    fit.add_argument("--fold", type=int, metavar="K", help="hold fold K out (default: train on everything)")
    fit.add_argument("--resume", action="store_true", help="go on with the run in --out")
    fit.add_argument("--stop-after", type=int, metavar="STEP", help="stop there as if interrupted")
    fit.set_defaults(run=_fit)

    evaluate = commands.add_parser(
        "evaluate", help="figures and plots of runs, or of a recipe over all folds"
    )
    evaluate.add_argument(
        "runs", nargs="*", type=Path, metavar="RUN", help="runs that each held one fold out"
    )
    _data_options(evaluate)
    evaluate.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of figures and plots"
    )
    evaluate.add_argument(
        "--hop", type=float, default=0.5, metavar="SECONDS", help="from window to window (0.5)"
    )
    evaluate.set_defaults(run=_evaluate)

    _tune_options(commands.add_parser("tune", help="fit how windows become verdicts, on held-out programmes"))
    return parser


def _tune_options(tune: argparse.ArgumentParser) -> None:
    tune.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="runs that each held one fold out")
    tune.add_argument("--data", type=Path, required=True, metavar="DIR", help="a prepared set")
    tune.add_argument(
        "--out", type=Path, required=True, metavar="JSON", help="for 'export convert --decision'"
    )
    tune.add_argument("--hop", type=float, default=1.0, metavar="SECONDS", help="from window to window (1)")
    tune.add_argument("--shortest", type=float, default=20.0, metavar="SECONDS", help="shortest track (20)")
    tune.add_argument("--settings", type=int, default=300, metavar="N", help="how many are tried (300)")
    tune.add_argument("--seed", type=int, default=1, help="of programmes and settings (1)")
    tune.add_argument("--threads", type=int, metavar="N", help="of the processor (default: torch's own)")
    tune.set_defaults(run=_tune)


def _data_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a prepared set")
    parser.add_argument("--recipe", default="base", help="name or TOML file (default: base)")
    parser.add_argument(
        "--folds", type=int, default=5, metavar="N", help="folds of the whole set (default: 5)"
    )
    parser.add_argument("--split-seed", type=int, default=1, metavar="SEED", help="of the folds (default: 1)")
    parser.add_argument("--seed", type=int, help="of the training (default: the recipe's)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor (default: torch's own)")


def _prepare(options: argparse.Namespace) -> None:
    from training.prepare import prepare
    from training.recipe import read_recipe

    name = next(name for name in READERS if getattr(options, name) is not None)
    clips = READERS[name](getattr(options, name)).clips()
    front_end = read_recipe(options.recipe).front_end
    report = prepare(clips, options.out, front_end, jobs=options.jobs, console=out)
    print(
        f"{report.usable} of {report.listed} clips usable ({report.decoded_now} decoded now), "
        f"{report.seconds / 3600:.2f} h in {options.out}"
    )
    for failure in report.failures:
        print(f"  left out [{failure.reason}] {failure.detail}")
    if report.failures:
        print(f"  {len(report.failures)} left out: {report.by_reason}; all in {options.out / 'report.json'}")


def _fit(options: argparse.Namespace) -> None:
    from training.fit import fit

    job = _job(options, options.fold, options.out)
    state = fit(job, resume=options.resume, stop_after=options.stop_after)
    last = state.curves[-1]
    print(f"{options.out}: step {state.step} of {job.recipe.fit.steps}, loss {last.loss:.3f}", end="")
    held_out = last.held_out_accuracy
    print("" if held_out is None else f", accuracy of held-out windows {held_out:.3f}")


def _evaluate(options: argparse.Namespace) -> None:
    from training.evaluate import evaluate
    from training.fit import fit

    runs: list[Path] = options.runs
    if not runs:
        runs = [options.out / f"fold{k}" for k in range(options.folds)]
        for k, run in enumerate(runs):
            fit(_job(options, k, run), resume=True)
    evaluate(runs, options.data, options.out, hop_s=options.hop)


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


def _job(options: argparse.Namespace, fold: int | None, run: Path):
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
        split_seed=options.split_seed,
        device=options.device,
        threads=options.threads,
    )


if __name__ == "__main__":
    sys.exit(main())
