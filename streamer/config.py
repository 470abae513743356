"""What the TOML file may say, as typed structures with their defaults and units.

A new section is a structure in `sections` and a field of `Config`. Types, ranges and patterns that its
annotations state are checked (`streamer.check`) and told to editors (`streamer/schema/config.json`,
with what the docstring says) without further code; what they can't state is a line in `rules`.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streamer import sections
from streamer.errors import ConfigError, Problem
from streamer.sections import (
    ClusterConfig,
    GatewayConfig,
    HistoryConfig,
    MetricsConfig,
    MqttConfig,
    PageConfig,
    SecurityConfig,
    WebhookConfig,
    is_local,
)

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5567"
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
        gateways: ZeroMQ endpoints at which gateways accept messages: all are sent there too.
        station: the stations, ids unique; at least one, but in the file of a gateway.
        page: what stations play in a browser, where it is wanted.
        history: what is kept of what stations played, where it is wanted.
        metrics: what Prometheus asks for, where it is wanted.
        mqtt: the bridge to MQTT, where it is wanted.
        webhook: the bridge to a URL, where it is wanted.
        gateway: what a gateway joins that is run from this file.
        security: who may subscribe, who we are to gateways, and where stations may lead.
        cluster: how stations are shared out over many machines, for `genrecast cluster`.
    """

    bind: str = DEFAULT_ENDPOINT
    open_to_network: bool = False
    model: str | None = None
    provider: Provider = "auto"
    hop: Annotated[float, Meta(ge=0.1, le=60.0)] = 1.0
    duty: Duty = 1.0
    workers: Annotated[int, Meta(ge=0, le=MAX_WORKERS)] = 0
    gateways: tuple[str, ...] = ()
    station: tuple[StationConfig, ...] = ()
    page: PageConfig | None = None
    history: HistoryConfig | None = None
    metrics: MetricsConfig | None = None
    mqtt: MqttConfig | None = None
    webhook: WebhookConfig | None = None
    gateway: GatewayConfig | None = None
    security: SecurityConfig = SecurityConfig()
    cluster: ClusterConfig = ClusterConfig()


def resolve(config: Config, folder: Path) -> Config:
    """Give a configuration with its relative paths made absolute: they are meant from its file's folder."""
    if config.model is not None and config.model not in SHIPPED_MODELS:
        config = msgspec.structs.replace(config, model=str(folder / config.model))
    for name, section in _sections(config).items():
        paths = {key: getattr(section, key) for key in sections.PATHS.get(name, ())}
        absolute = {key: str(folder / path) for key, path in paths.items() if path is not None}
        if absolute:
            config = msgspec.structs.replace(config, **{name: msgspec.structs.replace(section, **absolute)})
    return config


_NO_STATION = Problem("no station", "add a [[station]] with 'id' and 'source', or [gateway] if it is one's")


def rules(config: Config) -> Iterator[Problem]:
    """Give what is wrong with a configuration beyond what types alone can say."""
    if not config.station and config.gateway is None:
        yield _NO_STATION
    yield from sections.endpoints(config.gateways, ("gateways",))
    security = config.security
    if security.server_key is not None and security.gateway_key is None:
        for number, gateway in enumerate(config.gateways):
            if not is_local(gateway):
                yield Problem(
                    f"messages are protected at bind, and would not be on their way to '{gateway}'",
                    "give key and gateway_key in [security]",
                    ("gateways", number),
                )
    yield from sections.rules(dict(_sections(config)))
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


def with_station(config: Config) -> Config:
    """Give a configuration that a daemon can run: not the file of a gateway alone.

    Raises:
        ConfigError: there is no station in it.
    """
    if not config.station:
        raise ConfigError.of([_NO_STATION])
    return config


def _sections(config: Config) -> dict[str, msgspec.Struct]:
    """Give the sections that there are, by name."""
    found = {name: getattr(config, name) for name in config.__struct_fields__}
    return {name: section for name, section in found.items() if isinstance(section, msgspec.Struct)}
