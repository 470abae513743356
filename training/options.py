"""What each command of `python -m training` may be told."""

import argparse
import re
from pathlib import Path

from training.datasets import READERS, Reader
from training.datasets.fma import SUBSETS
from training.datasets.unlabelled import UnlabelledReader
from training.splits import KINDS


def prepare(parser: argparse.ArgumentParser) -> None:
    """Take how a set is read and decoded."""
    _set_options(parser, READERS)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the prepared set")
    parser.add_argument("--recipe", default="base", help="whose front end to use (default: base)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")


def teach(parser: argparse.ArgumentParser) -> None:
    """Take how a teaching set is made."""
    _set_options(parser, {**READERS, "music": UnlabelledReader})
    parser.add_argument(
        "--teacher", type=Path, required=True, metavar="ONNX", help="the teacher's model file"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the teaching set")
    parser.add_argument(
        "--views", type=int, default=4, metavar="N", help="of each piece of 30 s (default: 4)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of all chance (default: 1)")
    parser.add_argument("--recipe", default="base", help="whose front end to use (default: base)")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (default: all cores)")


def fit(parser: argparse.ArgumentParser) -> None:
    """Take how a recipe is trained."""
    _data_options(parser)
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


def evaluate(parser: argparse.ArgumentParser) -> None:
    """Take how runs are evaluated."""
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


def _integers(text: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(part) for part in text.split(",")))


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


def tune(parser: argparse.ArgumentParser) -> None:
    """Take how the decision is fitted."""
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="runs that each held one fold out")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a prepared set")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="JSON", help="for 'export convert --decision'"
    )
    parser.add_argument("--hop", type=float, default=1.0, metavar="SECONDS", help="from window to window (1)")
    parser.add_argument("--shortest", type=float, default=20.0, metavar="SECONDS", help="shortest track (20)")
    parser.add_argument("--settings", type=int, default=900, metavar="N", help="how many are tried (900)")
    parser.add_argument("--seed", type=int, default=1, help="of programmes and settings (1)")
    parser.add_argument("--threads", type=int, metavar="N", help="of the processor (default: torch's own)")


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


def baseline(parser: argparse.ArgumentParser) -> None:
    """Take how classical classifiers are asked."""
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


def explain(parser: argparse.ArgumentParser) -> None:
    """Take how an answer is explained."""
    parser.add_argument("clip", nargs="?", type=Path, metavar="CLIP", help="an audio file")
    parser.add_argument(
        "--run", dest="trained", type=Path, required=True, metavar="RUN", help="what to explain"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the files (default: RUN/explain)")
    parser.add_argument(
        "--at", type=float, metavar="SECONDS", help="explain the window from there (default: the surest one)"
    )
    parser.add_argument("--filters", action="store_true", help="draw the first layer alone; needs no CLIP")
