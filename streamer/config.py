"""What the TOML file may say, as typed structures with their defaults and units."""

import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streamer.errors import ConfigError

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5567"
BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
STATION_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

SHORTEST_TOKEN = 16  # characters; a shorter one can be guessed
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


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every section has that is served over HTTP.

    Attributes:
        enabled: has the daemon run it.
        bind: address and port, `HOST:PORT`.
        hosts: further names by which it is asked for, as behind a proxy.
        token: demanded of everybody; needed where `bind` can be reached from other machines.
    """

    enabled: bool = True
    bind: str
    hosts: tuple[str, ...] = ()
    token: str | None = None


class PageConfig(WebConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[page]`: what all stations play, in a browser.

    Attributes:
        base_path: path under which a proxy shows it, such as `/genrecast`; empty at the root.
    """

    bind: str = "127.0.0.1:8567"
    base_path: str = ""


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
    path: str | None = None
    url: str | None = None
    keep_days: int = 365
    max_mb: int = 1000


class MetricsConfig(WebConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[metrics]`: how the daemon is, for Prometheus, and whether it is, for whoever watches it.

    Attributes:
        per_station: gives each station series of its own, up to 2,000 of them.
    """

    bind: str = "127.0.0.1:9567"
    per_station: bool = False


class MqttConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[mqtt]`: what every station plays, told to an MQTT broker and to Home Assistant.

    Attributes:
        enabled: has the daemon run it.
        host: of the broker.
        port: of the broker; 8883 with `tls` and 1883 without unless given.
        tls: encrypt, and check the broker's certificate.
        ca: a file of certificates (PEM) to check it by, instead of the system's.
        user: to log in as.
        password: of the user; the environment or a credential may give it instead (docs/operations.md).
        topic: what all topics begin with.
        discovery: what the topics begin with on which Home Assistant is told of stations; empty for none.
        every: seconds after which a station is told again where nothing but its figures changed, 1 to 240.
    """

    enabled: bool = True
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    tls: bool = False
    ca: str | None = None
    user: str | None = None
    password: str | None = None
    topic: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$(?!\n)")] = "genrecast"
    discovery: Annotated[str, Meta(pattern=r"^([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?$(?!\n)")] = "homeassistant"
    every: Annotated[float, Meta(ge=1, le=240)] = 30.0


class WebhookConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[webhook]`: what happens, posted to a URL as it happens.

    Attributes:
        enabled: has the daemon run it.
        url: http or https; nothing of it but the host is ever shown.
        on: the kinds of message that are posted.
        secret: signs what is posted, `whsec_` and base64; the environment or a credential may give it
            instead (docs/operations.md).
    """

    enabled: bool = True
    url: Annotated[str, Meta(pattern=r"^https?://[^/]")]
    on: tuple[Literal["change", "track"], ...] = ("change", "track")
    secret: str | None = None


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
        page: the page in the browser, where it is wanted.
        history: what is kept of what stations played, where it is wanted.
        metrics: what Prometheus asks for, where it is wanted.
        mqtt: the bridge to MQTT, where it is wanted.
        webhook: the bridge to a URL, where it is wanted.
    """

    bind: str = DEFAULT_ENDPOINT
    open_to_network: bool = False
    model: str | None = None
    provider: Provider = "auto"
    hop: float = 1.0
    duty: float = 1.0
    workers: int = 0
    station: tuple[StationConfig, ...] = ()
    page: PageConfig | None = None
    history: HistoryConfig | None = None
    metrics: MetricsConfig | None = None
    mqtt: MqttConfig | None = None
    webhook: WebhookConfig | None = None


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
    except tomllib.TOMLDecodeError as error:
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
    if config.history is not None and config.history.path is not None:
        history = msgspec.structs.replace(config.history, path=str(base / config.history.path))
        config = msgspec.structs.replace(config, history=history)
    if config.mqtt is not None and config.mqtt.ca is not None:
        mqtt = msgspec.structs.replace(config.mqtt, ca=str(base / config.mqtt.ca))
        config = msgspec.structs.replace(config, mqtt=mqtt)
    return check_config(config, name=str(path))


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
    check_attendants(config, name=name)
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


def check_attendants(config: Config, *, name: str) -> None:
    """Check the sections of what subscribes beside the tagging.

    Raises:
        ConfigError: a value can't be used.
    """
    if config.page is not None:
        check_page(config.page, name=f"{name}: [page]")
    if config.history is not None:
        check_history(config.history, name=f"{name}: [history]")
    if config.metrics is not None:
        check_web(config.metrics, name=f"{name}: [metrics]")


def check_page(page: PageConfig, *, name: str) -> None:
    """Check where the page is served; see `check_web`."""
    check_web(page, name=name)
    if not BASE_PATH.fullmatch(page.base_path):
        raise ConfigError(
            f"{name}: base_path = '{page.base_path}' is no path",
            remedy="give one such as '/genrecast', without a slash at its end",
        )


def check_web(web: WebConfig, *, name: str) -> None:
    """Check where something is served, and that strangers are asked for a token.

    Args:
        web: the section.
        name: of the file and the section, for messages.

    Raises:
        ConfigError: `bind` is malformed, or it can be reached from other machines and there is no token.
    """
    try:
        host, _ = split_bind(web.bind)
    except ValueError as error:
        raise ConfigError(
            f"{name}: bind = '{web.bind}' is no address and port",
            remedy="give HOST:PORT, such as '127.0.0.1:8567' or '[::1]:8567'",
        ) from error
    if web.token is not None and len(web.token) < SHORTEST_TOKEN:
        raise ConfigError(
            f"{name}: token is shorter than {SHORTEST_TOKEN} characters",
            remedy="make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'",
        )
    if web.token is None and not is_loopback(host):
        raise ConfigError(
            f"{name}: bind = '{web.bind}' can be reached from other machines, and there is no token",
            remedy="bind to 127.0.0.1, or give a token of 16 characters or more",
        )


def split_bind(bind: str) -> tuple[str, int]:
    """Give host and port of `HOST:PORT`, an IPv6 address in brackets.

    Raises:
        ValueError: it is none.
    """
    host, _, port = bind.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = str(ipaddress.IPv6Address(host[1:-1]))
    elif ":" in host:
        raise ValueError("an IPv6 address without brackets")
    if not host or not port.isascii() or not port.isdecimal() or int(port) >= 2**16:
        raise ValueError("no host or no port")
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach a host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_history(history: HistoryConfig, *, name: str) -> None:
    """Check where history is kept and how much of it.

    Args:
        history: the section.
        name: of the file and the section, for messages.

    Raises:
        ConfigError: a value can't be used, or both a file and a server are named.
    """
    if history.path is not None and history.url is not None:
        raise ConfigError(f"{name}: both path and url are given", remedy="leave one of them")
    if history.url is not None and not history.url.startswith(("postgresql://", "postgres://")):
        raise ConfigError(
            f"{name}: url is not of PostgreSQL",
            remedy="give postgresql://USER@HOST/DATABASE, or a file with 'path'",
        )
    # A broken file is moved aside: not one that was never meant to be a database.
    if history.path is not None and not history.path.endswith((".sqlite", ".sqlite3", ".db")):
        raise ConfigError(
            f"{name}: path = '{history.path}' doesn't end as a database does",
            remedy="end it in .sqlite, .sqlite3 or .db",
        )
    if not 1 <= history.keep_days <= 36_500:
        raise ConfigError(
            f"{name}: keep_days = {history.keep_days} is out of range", remedy="give 1 to 36500 days"
        )
    if not 10 <= history.max_mb <= 1_000_000:
        raise ConfigError(
            f"{name}: max_mb = {history.max_mb} is out of range", remedy="give 10 to 1000000 megabytes"
        )
