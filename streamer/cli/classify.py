"""`genrecast classify`: whole files, one JSON object a line."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from streamer.archive.media import media_below
from streamer.errors import GenrecastError, SourceNotFoundError
from streamer.text import json_line, path_text, printable, shown

if TYPE_CHECKING:
    from streamer.contract import Contract
    from streamer.engine.classify import Classification
    from streamer.flow import Probabilities


@click.command("classify")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, also on a terminal.")
@click.option("--segments", is_flag=True, help="Tell every three seconds too.")
@click.option("--model", "model_path", help="`accurate`, or a genrecast model file.  [default]")
@click.option("--out", help="Tag an archive into Parquet: a folder, or a URL such as s3://bucket/tags.")
@click.option("--again", is_flag=True, help="With --out: what failed too, and what has changed since.")
@click.option("--jobs", type=click.IntRange(1), help="With --out: at most so many files at a time.  [cores]")
@click.option("--cluster", is_flag=True, help="With --out: on all nodes of a Ray cluster.")
@click.option("--address", help="Of the cluster.  [RAY_ADDRESS, or the one that runs here]")
def command(
    paths: tuple[str, ...],
    as_json: bool,
    segments: bool,
    model_path: str | None,
    out: str | None,
    again: bool,
    jobs: int | None,
    cluster: bool,
    address: str | None,
) -> None:
    """Say what whole files are, as fast as possible; a folder means all media in it.

    A file that can't be judged gives an object with 'error' and a non-zero exit status
    at the end; the others are still done.

    With --out, PATHs may be globs and URLs of object stores too, and what is said goes into Parquet
    files there. The same command goes on where it was interrupted, and tags what is new.
    """
    if "" in paths:
        raise click.UsageError("an empty PATH; '.' is the working folder")
    if out is None:
        if again or jobs or cluster or address is not None:
            raise click.UsageError("--again, --jobs, --cluster, --address are for archives: give --out too")
        _print_each(paths, model_path, as_json=as_json or not sys.stdout.isatty(), segments=segments)
    if out == "":
        raise click.UsageError("an empty --out; '.' is the working folder")
    if as_json or segments:
        raise click.UsageError("--json and --segments print; with --out all of it is written")
    if address is not None and not cluster:
        raise click.UsageError("--address is of a cluster: give --cluster too")
    from streamer.cli.archive import tag

    tag(paths, out, model_path, jobs=jobs, cluster=cluster, address=address, again=again)


def _print_each(paths: Sequence[str], model_path: str | None, *, as_json: bool, segments: bool) -> NoReturn:
    from streamer.engine.classify import classify_file
    from streamer.model.session import Model

    model = Model.load(model_path)
    status = 0
    for path in _expand([Path(path) for path in paths]):
        try:
            if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where a name is too long
                raise SourceNotFoundError(f"{path}: no media file in this folder", remedy="name the files")
            row = _row(path, classify_file(path, model), model.contract, segments=segments)
        except GenrecastError as error:
            status = error.exit_status
            row = {"path": path_text(path), "error": {"code": error.code, "message": error.message}}
        click.echo(json_line(row) if as_json else _line(row))
    sys.exit(status)


def _expand(paths: list[Path]) -> list[Path]:
    """Replace folders by the media files in and below them; a folder without any stays."""
    files = []
    for path in paths:
        inside = media_below(str(path)) if os.path.isdir(path) else ()  # noqa: PTH112
        files += sorted(map(Path, inside)) or [path]
    return files


def _row(path: Path, what: "Classification", contract: "Contract", *, segments: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": path_text(path),
        "state": what.state,
        "genre": what.genre,
        "confidence": round(what.confidence, 4),
        "probabilities": _named(what.probabilities, contract),
        "seconds": round(what.seconds, 3),
    }
    if segments:
        row["segments"] = [
            {
                "from": round(segment.start_s, 3),
                "to": round(segment.end_s, 3),
                "state": segment.state,
                "genre": segment.genre,
                "confidence": round(segment.confidence, 4),
                "probabilities": _named(segment.probabilities, contract),
            }
            for segment in what.segments
        ]
    return row


def _named(probabilities: "Probabilities | None", contract: "Contract") -> dict[str, float] | None:
    if probabilities is None:
        return None
    return {name: round(float(p), 4) for name, p in zip(contract.labels, probabilities, strict=True)}


def _line(row: dict[str, Any]) -> str:
    """Give a row as a person reads it."""
    if "error" in row:
        return f"{'error':<16}{shown(row['error']['message'])}"
    lines = [f"{row['genre'] or row['state']:<11}{row['confidence']:4.0%} {printable(row['path'])}"]
    for part in row.get("segments", ()):
        span = f"{part['from']:8.1f} to {part['to']:7.1f} s"
        lines.append(f"    {span}  {part['genre'] or part['state']:<11}{part['confidence']:4.0%}")
    return "\n".join(lines)
