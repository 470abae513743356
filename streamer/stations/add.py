"""Stations into a configuration: told apart from those that are there, and appended as text."""

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from streamer.check.load import examine_text, read_text
from streamer.errors import ConfigError, SourceUriError
from streamer.source.url import check_url, normal
from streamer.stations.name import make_id
from streamer.stations.read import Listed
from streamer.text import shown
from streamer.whole import replacing

MAX_COMMENT = 120  # characters


class Named(NamedTuple):
    """A station that is new.

    Attributes:
        id: unique.
        listed: what the list says of it.
    """

    id: str
    listed: Listed


@dataclass
class Choice:
    """What is new in lists of stations, and what was left out.

    Args:
        present: source of each station that is there already, by its id.

    Attributes:
        new: in the order of the lists.
        notes: one sentence for each entry that was left out, with its place.
        broken: how many of those are no stations.
    """

    present: dict[str, str]
    new: list[Named] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    broken: int = 0

    def __post_init__(self) -> None:
        self._taken = set(self.present)
        self._places = {_same(source): f"'{id}', which is there" for id, source in self.present.items()}

    def take(self, name: str, lists: Iterable[Listed]) -> None:
        """Take the entries of a list; `name` is where they come from."""
        for listed in lists:
            place = f"{name}:{listed.line}"
            wrong = listed.wrong or _wrong(listed.url)
            if wrong:
                self.broken += 1
                self.notes.append(f"{place}: {listed.name or 'an entry'}: {wrong}")
                continue
            same = _same(listed.url)
            if same in self._places:
                self.notes.append(
                    f"{place}: {listed.name or 'an entry'}: the address of {self._places[same]}"
                )
                continue
            id = make_id(listed.name, listed.url, self._taken)
            self._taken.add(id)
            self._places[same] = place
            self.new.append(Named(id, listed))


def present(path: Path) -> dict[str, str]:
    """Give the source of each station of a configuration, by its id; nothing where there is no file.

    Raises:
        ConfigError: it can't be read, or is no TOML.
    """
    if not path.exists():
        return {}
    text = read_text(path)
    try:
        stations = tomllib.loads(text).get("station", [])
    except (ValueError, RecursionError):
        raise ConfigError.of(examine_text(text, path)[1]) from None
    tables = [station for station in stations if isinstance(station, dict)]
    return {str(table.get("id")): str(table.get("source")) for table in tables}


def as_toml(stations: Iterable[Named]) -> str:
    """Give the tables of stations, each with a comment that says what it is."""
    tables = []
    for id, listed in stations:
        about = shown(", ".join(word for word in (listed.name, listed.about) if word))[:MAX_COMMENT]
        comment = f"  # {about}" if about else ""
        # A JSON string without controls, which no address that was checked has, is one of TOML.
        source = json.dumps(listed.url, ensure_ascii=False)
        tables.append(f'[[station]]\nid = "{id}"{comment}\nsource = {source}\n')
    return "\n".join(tables)


def append(path: Path, text: str) -> None:
    """Append tables to a configuration, or begin one; all of it or nothing, and only if it can be used then.

    Raises:
        ConfigError: it could not be used, or can't be written.
    """
    path = path.resolve()  # a link stays one
    before = read_text(path) if path.exists() else ""
    after = before + ("\n" if before and not before.endswith("\n") else "") + ("\n" if before else "") + text
    errors = [problem for problem in examine_text(after, path)[1] if not problem.warning]
    if errors:
        raise ConfigError.of(errors)
    try:
        with replacing(path) as part:
            part.touch(0o600)  # others read it when it is known who may
            part.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
            part.write_text(after, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path}: can't be written: {error.strerror}", remedy="look at its folder's owner and space"
        ) from error


def _wrong(url: str) -> str:
    try:
        check_url(url)
    except SourceUriError as error:
        return error.message if url else "no address"
    return ""


def _same(source: str) -> str:
    """Give what is equal for sources that are the same."""
    try:
        return normal(source)
    except SourceUriError:
        return source
