"""What the TOML file may say, as typed structures with their defaults and units.

A new section is a structure here and a field of `Config`. Types, ranges and patterns that its
annotations state are checked (`streamer.check`) and told to editors (`streamer/schema/config.json`,
with what the docstring says) without further code; what they can't state is a line in `rules`, and
its paths are made absolute in `resolve`.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streamer.errors import Problem
from streamer.text import shown

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5567"
HOST_NAME = re.compile(r"[^\W_](?:[\w.-]{0,251}[^\W_])?")
STATION_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
ID_REMEDY = "use 1 to 64 of a-z, 0-9, '_' and '-', beginning with a letter or digit"

MAX_WORKERS = 256  # more than cores in any one machine

Provider = Literal["auto", "cpu", "cuda"]
# `$` alone would let a line feed pass at the end.
StationId = Annotated[str, Meta(pattern=rf"^{STATION_ID.pattern}$(?!\n)", extra={"remedy": ID_REMEDY})]
Duty = Annotated[float, Meta(ge=0.05, le=1.0)]


class StationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[station]]`.

    Attributes:
        id: names the station in topics: lower case letters, digits, `_` and `-`.
        source: where its audio comes from: a URI or a path.
        charset: how its titles are encoded where they are not UTF-8.
        duty: as in `Config`, for this station alone.
    """

    id: StationId
    source: str
    charset: str = "latin-1"
    duty: Duty | None = None


class HistoryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[history]`: what stations played, kept.

    Attributes:
        enabled: has the daemon keep it.
        path: of the SQLite file; `history.sqlite` in the state folder unless given.
        url: of a PostgreSQL database instead, `postgresql://USER@HOST/DATABASE`.
        keep_days: what is older is deleted.
        max_mb: where the file holds more than so many 10^6 bytes, the oldest is deleted.
    """

    enabled: bool = True
    # A broken file is moved aside: not one that was never meant to be a database.
    path: (
        Annotated[
            str, Meta(pattern=r"\.(sqlite3?|db)$", extra={"remedy": "end it in .sqlite, .sqlite3 or .db"})
        ]
        | None
    ) = None
    url: (
        Annotated[
            str,
            Meta(
                pattern=r"^postgres(ql)?://",
                extra={"remedy": "give postgresql://USER@HOST/DATABASE, or a file with 'path'"},
            ),
        ]
        | None
    ) = None
    keep_days: Annotated[int, Meta(ge=1, le=36_500)] = 365
    max_mb: Annotated[int, Meta(ge=10, le=1_000_000)] = 2000


class SecurityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[security]`: who may subscribe, and where stations may lead.

    Attributes:
        server_key: file with the key of the daemon, as `genrecast keys new` makes it; with it,
            messages are encrypted and only those in `allow` have them.
        allow: file that lists the public keys of subscribers.
        allow_private: networks (`10.0.0.0/8`), addresses and host names that stations may lead to
            though they are not of the public internet; True for all.
    """

    server_key: str | None = None
    allow: str | None = None
    allow_private: bool | tuple[str, ...] = ()


SHIPPED_MODELS = ("default", "accurate")
"""The embedded models. A file of such a name is meant where its path is written, `./accurate`."""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole file.

    Attributes:
        bind: ZeroMQ endpoint on which messages are published.
        open_to_network: says in words that `bind` may be reached from other machines.
        model: a genrecast model file, or the name of one that is embedded (`SHIPPED_MODELS`).
        provider: ONNX Runtime execution provider; `auto` takes CUDA where it works.
        hop: seconds from one window to the next, 0.1 to 60.
        duty: share of the audio that is decoded, 0.05 to 1; below 1 windows are side by side at best,
            the hop is as long as that takes, and what lies between them is only counted.
        workers: processes that listen; 0: as many as pay for so many stations.
        station: the stations, at least one, ids unique.
        history: what is kept of what stations played, where it is wanted.
        security: who may subscribe, and where stations may lead.
    """

    bind: str = DEFAULT_ENDPOINT
    open_to_network: bool = False
    model: str | None = None
    provider: Provider = "auto"
    hop: Annotated[float, Meta(ge=0.1, le=60.0)] = 1.0
    duty: Duty = 1.0
    workers: Annotated[int, Meta(ge=0, le=MAX_WORKERS)] = 0
    station: tuple[StationConfig, ...] = ()
    history: HistoryConfig | None = None
    security: SecurityConfig = SecurityConfig()


def resolve(config: Config, folder: Path) -> Config:
    """Give a configuration with its relative paths made absolute: they are meant from its file's folder."""
    if config.model is not None and config.model not in SHIPPED_MODELS:
        config = msgspec.structs.replace(config, model=str(folder / config.model))
    if config.history is not None and config.history.path is not None:
        history = msgspec.structs.replace(config.history, path=str(folder / config.history.path))
        config = msgspec.structs.replace(config, history=history)
    files = {"server_key": config.security.server_key, "allow": config.security.allow}
    found = {key: str(folder / path) for key, path in files.items() if path is not None}
    security = msgspec.structs.replace(config.security, **found)
    return msgspec.structs.replace(config, security=security)


def rules(config: Config) -> Iterator[Problem]:
    """Give what is wrong with a configuration beyond what types alone can say."""
    if not config.station:
        yield Problem("no station", "add a [[station]] with 'id' and 'source'")
    if config.history is not None and config.history.path is not None and config.history.url is not None:
        yield Problem("[history]: both path and url are given", "leave one of them", ("history", "url"))
    yield from _rules_of_security(config.security)
    seen: set[str] = set()
    stdin = False
    for number, station in enumerate(config.station):
        key = ("station", number)
        if station.id in seen:
            yield Problem(f"station id '{station.id}' is used twice", "make ids unique", (*key, "id"))
        seen.add(station.id)
        if station.source.lower().startswith("stdin:"):
            if stdin:
                yield Problem(
                    "two stations read stdin:, and there is one standard input",
                    "leave one of them, or run a daemon each",
                    (*key, "source"),
                )
            stdin = True
        try:
            "".encode(station.charset)
        except (LookupError, ValueError):
            yield Problem(
                f"station '{station.id}': unknown charset '{station.charset}'",
                "name one that Python knows, such as 'latin-1' or 'cp1251'",
                (*key, "charset"),
            )


def _rules_of_security(security: SecurityConfig) -> Iterator[Problem]:
    if (security.server_key is None) != (security.allow is None):
        yield Problem(
            "[security]: one of server_key and allow is given, and they work together",
            "give both; 'genrecast keys new' makes the files and says the lines",
            ("security",),
        )
    for number, entry in enumerate(
        () if isinstance(security.allow_private, bool) else security.allow_private
    ):
        try:
            ip_network(entry, strict=False)
        except ValueError:
            if not HOST_NAME.fullmatch(entry):
                yield Problem(
                    f"[security]: allow_private: '{shown(entry)}' is no network, address or host name",
                    'name such as "192.168.1.0/24", "10.0.0.5" or "icecast.lan"',
                    ("security", "allow_private", number),
                )
