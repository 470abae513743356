"""`python -m export`: checkpoint to model file, and the proof that they agree; the same in eight bits."""

import argparse
import sys
from pathlib import Path

from training.console import guarded


def main(arguments: list[str] | None = None) -> int:
    """Run one command; give its exit status."""
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    convert = commands.add_parser("convert", help="write a model file from a finished run")
    convert.add_argument("checkpoint", type=Path, metavar="RUN")
    convert.add_argument("out", type=Path, metavar="OUT.onnx")
    convert.add_argument("--name", help="what messages call the model (default: the file's name)")
    convert.add_argument(
        "--evaluation", type=Path, metavar="JSON", help="evaluation.json: temperature and accuracy"
    )
    convert.add_argument(
        "--decision",
        type=Path,
        metavar="JSON",
        help="tune.json: how windows become verdicts (default: the recipe's)",
    )
    convert.set_defaults(run=_convert)
    verify = commands.add_parser("verify", help="compare a model file with its run, torch with ONNX Runtime")
    verify.add_argument("checkpoint", type=Path, metavar="RUN")
    verify.add_argument("model", type=Path, metavar="MODEL.onnx")
    verify.add_argument(
        "--windows", type=Path, metavar="DIR", help="prepared set to take windows from (default: synthetic)"
    )
    verify.set_defaults(run=_verify)
    quantize = commands.add_parser("quantize", help="write a model file in eight bits, made of one in floats")
    quantize.add_argument("model", type=Path, metavar="MODEL.onnx")
    quantize.add_argument("out", type=Path, metavar="OUT.onnx")
    quantize.add_argument(
        "--windows", type=Path, metavar="DIR", help="prepared set to calibrate on (default: synthetic)"
    )
    quantize.add_argument(
        "--agreement",
        type=float,
        default=0.98,
        metavar="SHARE",
        help="of windows that must keep their label (default: %(default)s)",
    )
    quantize.set_defaults(run=_quantize)
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    status: int = guarded(lambda: options.run(options), name=f"export {options.command}")
    return status


def _convert(options: argparse.Namespace) -> None:
    from export.convert import convert

    contract = convert(
        options.checkpoint,
        options.out,
        evaluation=options.evaluation,
        name=options.name or options.out.stem,
        tuning=options.decision,
    )
    size = options.out.stat().st_size
    accuracy = contract.accuracy
    print(f"{options.out}: '{contract.name}', {len(contract.labels)} labels, {size / 1e6:.2f} MB")
    print(f"accuracy {accuracy.value:.3f} ({accuracy.low:.3f} to {accuracy.high:.3f}) of {accuracy.of}")


def _verify(options: argparse.Namespace) -> None:
    from export.verify import TOLERANCE, verify

    worst, count = verify(options.checkpoint, options.model, windows=options.windows)
    print(f"largest difference {worst:.3g} over {count} windows (tolerance {TOLERANCE:g})")


def _quantize(options: argparse.Namespace) -> None:
    from export.quantize import quantize

    found = quantize(options.model, options.out, windows=options.windows, at_least=options.agreement)
    before, after = (path.stat().st_size / 1e6 for path in (options.model, options.out))
    print(f"{options.out}: {after:.2f} MB of {before:.2f}")
    print(
        f"same label in {found.labels:.3f} of {found.windows} windows; probabilities differ by up to "
        f"{found.worst:.3g}, {found.mean:.3g} in the mean"
    )


if __name__ == "__main__":
    sys.exit(main())
