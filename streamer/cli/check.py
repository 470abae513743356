"""`genrecast check`: everything that is wrong with a configuration, before a daemon meets it."""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from streamer.config import Config
from streamer.errors import ConfigError, Problem
from streamer.text import json_line, shown


@click.command("check")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--schema", is_flag=True, help="Print the JSON Schema of the file, for editors.")
def command(path: Path | None, as_json: bool, schema: bool) -> None:
    """Say everything that is wrong with a configuration: where, and what to do about it.

    Ends with status 0 and one line of what it holds, or with 3 and all errors. Warnings
    are no errors. Also looks for the files that it names.
    """
    if schema:
        from streamer.check.schema import shipped

        click.echo(shipped(), nl=False)
        return
    if path is None:
        raise click.UsageError("Missing argument 'FILE'.")
    from streamer.check.load import examine

    config, problems = examine(path, files=True)
    errors = [problem for problem in problems if not problem.warning]
    if as_json:
        holds = _holds(config) if config is not None and not errors else None
        click.echo(json_line({"file": str(path), "holds": holds, "problems": [_row(p) for p in problems]}))
        sys.exit(ConfigError.exit_status if errors else 0)
    for problem in problems:
        if problem.warning:
            click.echo(f"genrecast: warning: {shown(str(problem))}\n  try: {shown(problem.remedy)}", err=True)
    if errors or config is None:
        raise ConfigError.of(errors)
    held = _holds(config)
    sections = "".join(f", [{name}]" for name in held["sections"])
    click.echo(
        f"{shown(str(path))}: {_count(held['stations'], 'station')}, {_count(held['workers'], 'worker')}, "
        f"model {shown(held['model'])}, {held['bind']}{sections}"
    )


def _holds(config: Config) -> dict[str, Any]:
    """Say in short what a configuration asks for."""
    from streamer.engine.launch import shares

    parts = [(field, getattr(config, field.name)) for field in msgspec.structs.fields(config)]
    return {
        "stations": len(config.station),
        "workers": len(shares(config)),
        "model": config.model or "default",
        "bind": config.bind,
        "sections": [
            field.encode_name
            for field, value in parts
            if isinstance(value, msgspec.Struct) and value != field.default
        ],
    }


def _row(problem: Problem) -> dict[str, object]:
    row = problem._asdict()
    return row | {"message": shown(problem.message), "remedy": shown(problem.remedy)}


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
