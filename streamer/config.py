"""What the TOML file may say, as typed structures with their defaults and units."""

import re
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Literal

import msgspec

from streamer.errors import ConfigError

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5567"
STATION_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
HOST_NAME = re.compile(r"[^\W_](?:[\w.-]{0,251}[^\W_])?")

MAX_WORKERS = 256  # more than cores in any one machine

Provider = Literal["auto", "cpu", "cuda"]


class StationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[station]]`.

    Attributes:
        id: names the station in topics: lower case letters, digits, `_` and `-`.
        source: where its audio comes from: a URI or a path.
        charset: how its titles are encoded where they are not UTF-8.
        duty: as in `Config`, for this station alone.
    """

    id: str
    source: str
    charset: str = "latin-1"
    duty: float | None = None


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
        security: who may subscribe, and where stations may lead.
        station: the stations, at least one, ids unique.
    """

    bind: str = DEFAULT_ENDPOINT
    open_to_network: bool = False
    model: str | None = None
    provider: Provider = "auto"
    hop: float = 1.0
    duty: float = 1.0
    workers: int = 0
    security: SecurityConfig = SecurityConfig()
    station: tuple[StationConfig, ...] = ()


def load_config(path: Path) -> Config:
    """Read and check a configuration file.

    Raises:
        ConfigError: the file can't be read, is no TOML, or says what it may not.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: can't be read: {getattr(error, 'strerror', None) or error}",
            remedy="give --config an existing UTF-8 TOML file",
        ) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: no valid TOML: {error}", remedy="mend the line that is named") from error
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{path}: {error}", remedy="docs/operations.md lists every key and its type"
        ) from error
    base = path.resolve().parent
    if config.model is not None and config.model not in SHIPPED_MODELS:
        config = msgspec.structs.replace(config, model=str(base / config.model))
    config = msgspec.structs.replace(config, security=_resolve(config.security, base))
    return check_config(config, name=str(path))


def _resolve(security: SecurityConfig, base: Path) -> SecurityConfig:
    """Give the section with its files relative to the configuration file."""
    given = {"server_key": security.server_key, "allow": security.allow}
    return msgspec.structs.replace(security, **{key: str(base / at) for key, at in given.items() if at})


def check_config(config: Config, *, name: str) -> Config:
    """Check what types alone can't say; give the config back.

    Args:
        config: as read or as built from a command line.
        name: where it came from, for messages.

    Raises:
        ConfigError: a value is out of range, an id is malformed or used twice, no station is
            there, or two would share one standard input.
    """
    if not 0.1 <= config.hop <= 60.0:
        raise ConfigError(f"{name}: hop = {config.hop} is out of range", remedy="give seconds from 0.1 to 60")
    for duty in (config.duty, *(station.duty for station in config.station if station.duty is not None)):
        if not 0.05 <= duty <= 1.0:
            raise ConfigError(
                f"{name}: duty = {duty} is out of range", remedy="give a share from 0.05 to 1, such as 0.33"
            )
    if not 0 <= config.workers <= MAX_WORKERS:
        raise ConfigError(
            f"{name}: workers = {config.workers} is out of range",
            remedy=f"give 1 to {MAX_WORKERS}, or 0 for as many as pay",
        )
    _check_security(config.security, name)
    if not config.station:
        raise ConfigError(f"{name}: no station", remedy="add a [[station]] with 'id' and 'source'")
    if sum(station.source.lower().startswith("stdin:") for station in config.station) > 1:
        raise ConfigError(
            f"{name}: two stations read stdin:, and there is one standard input",
            remedy="leave one of them, or run a daemon each",
        )
    seen: set[str] = set()
    for station in config.station:
        if not STATION_ID.fullmatch(station.id):
            raise ConfigError(
                f"{name}: station id '{station.id}' is malformed",
                remedy="use 1 to 64 of a-z, 0-9, '_' and '-', beginning with a letter or digit",
            )
        if station.id in seen:
            raise ConfigError(f"{name}: station id '{station.id}' is used twice", remedy="make ids unique")
        seen.add(station.id)
        try:
            "".encode(station.charset)
        except (LookupError, UnicodeError) as error:
            raise ConfigError(
                f"{name}: station '{station.id}': unknown charset '{station.charset}'",
                remedy="name one that Python knows, such as 'latin-1' or 'cp1251'",
            ) from error
    return config


def _check_security(security: SecurityConfig, name: str) -> None:
    if (security.server_key is None) != (security.allow is None):
        raise ConfigError(
            f"{name}: [security] has one of server_key and allow, and they work together",
            remedy="give both; 'genrecast keys new' makes the files and says the lines",
        )
    for entry in () if isinstance(security.allow_private, bool) else security.allow_private:
        try:
            ip_network(entry, strict=False)
        except ValueError as error:
            if not HOST_NAME.fullmatch(entry):
                raise ConfigError(
                    f"{name}: [security] allow_private: '{entry}' is no network, address or host name",
                    remedy='name such as "192.168.1.0/24", "10.0.0.5" or "icecast.lan"',
                ) from error
