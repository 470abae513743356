"""A configuration file, or what a command line makes one: read, and everything that is wrong told at once."""

import contextlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from streamer.check.places import places
from streamer.check.structure import Structure
from streamer.config import SHIPPED_MODELS, Config, resolve, rules
from streamer.errors import ConfigError, Key, ModelError, Problem, SourceNotFoundError, SourceUriError
from streamer.source.open import check_uri, file_of
from streamer.source.url import normal
from streamer.text import redact, shown

Rules: TypeAlias = Callable[[Config], Iterable[Problem]]

MAX_BYTES = 10 << 20  # tens of thousands of stations; /dev/zero has no end
MAX_SYNTAX = 20  # errors of syntax that are told: what follows from one is no news
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def load_config(path: Path, *, also: Rules = lambda _: ()) -> Config:
    """Read and check a configuration file.

    Args:
        path: of it.
        also: gives what is wrong with it for a certain use.

    Raises:
        ConfigError: the file can't be read, is no TOML, or says what it may not; `problems` has all.
    """
    config, problems = examine(path, also=also)
    errors = [problem for problem in problems if not problem.warning]
    if errors or config is None:
        raise ConfigError.of(errors)
    return config


def check_config(config: Config, *, name: str) -> Config:
    """Check what was built or changed by a command line; give it back.

    Args:
        config: its types are right.
        name: where it came from, for messages.

    Raises:
        ConfigError: a value is out of range, an id is malformed, a source can't be right, ...
    """
    _, problems = _understand(msgspec.to_builtins(config))
    errors = [problem._replace(file=name) for problem in problems if not problem.warning]
    if errors:
        raise ConfigError.of(errors)
    return config


def examine(
    path: Path, *, files: bool = False, also: Rules = lambda _: ()
) -> tuple[Config | None, list[Problem]]:
    """Read a configuration file.

    Args:
        path: of it.
        files: look for the files that it names, too, which a daemon finds out for itself.
        also: gives what is wrong with it for a certain use.

    Returns:
        what it says, None where that can't be used, and all that is wrong, warnings too, in its order.
    """
    try:
        text = read_text(path)
    except ConfigError as error:
        return None, error.problems
    return examine_text(text, path, files=files, also=also)


def examine_text(
    text: str, path: Path, *, files: bool = False, also: Rules = lambda _: ()
) -> tuple[Config | None, list[Problem]]:
    """Do the same with what stands in a file, or shall stand there."""
    name = str(path)
    try:
        raw = tomllib.loads(text)
    except RecursionError:
        return None, [Problem("nested too deep", "write it flat: tables and their keys", file=name)]
    except ValueError:
        return None, [problem._replace(file=name) for problem in _syntax(text)]
    config, problems = _understand(raw)
    if config is not None:
        problems += also(config)
        config = resolve(config, path.resolve().parent)
        problems += _missing(config) if files else ()
    if problems:
        where = places(text)
        problems = sorted((_placed(problem, where, name) for problem in problems), key=lambda p: p.line or 0)
    return config, problems


def _missing(config: Config) -> Iterator[Problem]:
    """Give what a configuration names and this machine has not, as the daemon would meet it."""
    if config.model is not None and config.model not in SHIPPED_MODELS and not Path(config.model).is_file():
        yield Problem(
            f"model = '{shown(config.model)}': no such file",
            f"correct the path, or use one of: {', '.join(SHIPPED_MODELS)}",
            ("model",),
            ModelError.code,
        )
    for number, station in enumerate(config.station):
        file = file_of(station.source)
        if file is not None and not file.exists():
            yield Problem(
                f"station '{station.id}': source '{shown(station.source)}': no such file",
                "correct the path; one that isn't absolute is looked for from where the daemon is started",
                ("station", number, "source"),
                SourceNotFoundError.code,
            )


def read_text(path: Path) -> str:
    """Give what stands in a configuration file.

    Raises:
        ConfigError: it can't be read, is too large or no UTF-8.
    """
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
        if len(body) > MAX_BYTES:
            raise ValueError(f"larger than {MAX_BYTES >> 20} MB")
        return body.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path}: can't be read: {getattr(error, 'strerror', None) or error}",
            remedy="give an existing UTF-8 TOML file",
        ) from error


def _syntax(text: str) -> Iterator[Problem]:
    """Give the errors of syntax, each as if the line of the one before were empty."""
    lines, last = text.split("\n"), 0
    for _ in range(MAX_SYNTAX):
        try:
            tomllib.loads("\n".join(lines))
            return
        except RecursionError:
            return
        except ValueError as error:
            said = str(error)
        place = _PLACE.search(said)
        line = int(place[1]) if place and place[1] else len(lines)
        if line <= last:  # it isn't this line alone: something was begun before it and not ended
            return
        column = int(place[2]) if place and place[2] else None
        message = f"no valid TOML: {shown(said[: place.start()] if place else said)}"
        yield Problem(message, "mend this line, or what begins above it", line=line, column=column)
        lines[line - 1], last = "", line


def _understand(raw: dict[str, Any]) -> tuple[Config | None, list[Problem]]:
    """Make a configuration of what was read; None where something is wrong with it."""
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        structure = Structure(raw, Config)
        problems = structure.problems or [Problem(str(error), "docs/operations.md lists every key")]
        with contextlib.suppress(msgspec.ValidationError):  # what is right by itself may be wrong together
            sound = msgspec.convert(structure.sound, Config)
            problems += [
                problem._replace(key=structure.original(problem.key))
                for problem in _meaning(sound)
                if problem.key
            ]
        return None, problems
    problems = list(_meaning(config))
    return config if all(problem.warning for problem in problems) else None, problems


def _meaning(config: Config) -> Iterator[Problem]:
    """Give what is wrong with values whose types are right."""
    yield from rules(config)
    seen: dict[str, str] = {}
    for number, station in enumerate(config.station):
        key: Key = ("station", number, "source")
        try:
            check_uri(station.source)
        except SourceUriError as error:
            yield Problem(f"station '{station.id}': {error.message}", error.remedy, key, error.code)
            continue
        http = station.source.lower().startswith(("http:", "https:"))
        source = normal(station.source) if http else station.source
        if source in seen and not source.lower().startswith("stdin:"):  # which is an error of `rules`
            shows = redact(station.source) if http else shown(station.source)
            yield Problem(
                f"station '{station.id}': source '{shows}' is that of '{seen[source]}' too",
                "leave one of them, unless it is meant",
                key,
                warning=True,
            )
        seen.setdefault(source, station.id)


def _placed(problem: Problem, where: dict[Key, tuple[int, int]], name: str) -> Problem:
    """Add file, line and column: of the key, or of the nearest table that it would be in."""
    key = problem.key
    while key and key not in where:
        key = key[:-1]
    line, column = where.get(key, (None, None))
    return problem._replace(file=name, line=line, column=column)
