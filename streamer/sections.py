"""What the TOML file's sections may say: of what subscribes beside the tagging, and of who is let where.

As in `config`: annotations are checked and told to editors without further code, and what they
can't state is a line in `rules`.
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from streamer.errors import Key, Problem

SHORTEST_TOKEN = 16  # characters; a shorter one can be guessed
HOST_NAME = re.compile(r"[^\W_](?:[\w.-]{0,251}[^\W_])?")

# `$` alone would let a line feed pass at the end.
_BASE_PATH = r"^(/[A-Za-z0-9._~-]+)*$(?!\n)"
_TOPIC = r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*"

Token = Annotated[
    str,
    Meta(
        min_length=SHORTEST_TOKEN,
        extra={"remedy": "make one with: python3 -c 'import secrets; print(secrets.token_urlsafe())'"},
    ),
]

PublicKey = Annotated[
    str,
    Meta(pattern=r"^[0-9a-fA-F]{64}$(?!\n)", extra={"remedy": "copy what 'genrecast keys show' prints"}),
]


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
    token: Token | None = None


class PageConfig(WebConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[page]`: what all stations play, in a browser.

    Attributes:
        base_path: path under which a proxy shows it, such as `/genrecast`; empty at the root.
    """

    bind: str = "127.0.0.1:8567"
    base_path: Annotated[
        str,
        Meta(
            pattern=_BASE_PATH,
            extra={"remedy": "give a path such as '/genrecast', without a slash at its end"},
        ),
    ] = ""


class MetricsConfig(WebConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[metrics]`: how the daemon is, for Prometheus, and whether it is, for whoever watches it.

    Attributes:
        per_station: gives each station series of its own, up to 2,000 of them.
    """

    bind: str = "127.0.0.1:9567"
    per_station: bool = False


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
    topic: Annotated[str, Meta(pattern=rf"^{_TOPIC}$(?!\n)")] = "genrecast"
    discovery: Annotated[str, Meta(pattern=rf"^({_TOPIC})?$(?!\n)")] = "homeassistant"
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
    url: Annotated[str, Meta(pattern=r"^https?://[^/]", extra={"remedy": "give an http or https URL"})]
    on: tuple[Literal["change", "track"], ...] = ("change", "track")
    secret: str | None = None


class ClusterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[cluster]`: how `genrecast cluster` shares the stations out over the nodes of a Ray cluster.

    Attributes:
        per_shard: stations in a shard, about; a shard is an engine of its own, and goes where it has room.
        cpus: cores that a shard reserves on its node.
        resource: the nodes' custom resource of which a shard reserves `per_shard`; empty for none.
    """

    per_shard: Annotated[int, Meta(ge=1, le=1000)] = 125
    cpus: Annotated[float, Meta(ge=0, le=64)] = 0.5
    resource: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z_][A-Za-z0-9_]*)?$(?!\n)",
            extra={"remedy": "name it as in ray start --resources '{\"station\": 1000}'"},
        ),
    ] = "station"


class GatewayConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[gateway]`: what `genrecast gateway` joins; a daemon passes it over.

    Attributes:
        accept: ZeroMQ endpoint at which daemons that have it in their `gateways` come in.
        from_: endpoints at which further daemons publish, to be heard there.
        server_key: file with the key that daemons must know; with it, only those in `allow` come in.
        allow: file that lists the public keys of daemons.
    """

    accept: str = "tcp://127.0.0.1:5568"
    from_: tuple[str, ...] = msgspec.field(default=(), name="from")
    server_key: str | None = None
    allow: str | None = None


class SecurityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[security]`: who may subscribe, who we are to gateways, and where stations may lead.

    Attributes:
        server_key: file with the key of the daemon, as `genrecast keys new` makes it; with it,
            messages are encrypted and only those in `allow` have them.
        allow: file that lists the public keys of subscribers.
        key: file with the key that the daemon shows to `gateways`.
        gateway_key: the public key of these gateways, as `genrecast keys show` prints it there.
        allow_private: networks (`10.0.0.0/8`), addresses and host names that stations may lead to
            though they are not of the public internet; True for all.
    """

    server_key: str | None = None
    allow: str | None = None
    key: str | None = None
    gateway_key: PublicKey | None = None
    allow_private: bool | tuple[str, ...] = ()


PATHS: dict[str, tuple[str, ...]] = {
    "history": ("path",),
    "mqtt": ("ca",),
    "security": ("server_key", "allow", "key"),
    "gateway": ("server_key", "allow"),
}
"""Of each section the keys that name files, which are meant from the configuration file's folder."""


def rules(sections: dict[str, object]) -> Iterator[Problem]:
    """Give what is wrong with sections, by name, beyond what types alone can say."""
    for name, section in sections.items():
        match section:
            case WebConfig():
                yield from _web(section, name)
            case HistoryConfig(path=str(), url=str()):
                yield Problem("[history] has both path and url", "leave one of them", ("history", "url"))
            case SecurityConfig():
                yield from _together(name, section, "server_key", "allow")
                yield from _together(name, section, "key", "gateway_key")
                yield from _security(section)
            case GatewayConfig():
                yield from _together(name, section, "server_key", "allow")
                yield from endpoints(section.from_, (name, "from"))


def _web(web: WebConfig, name: str) -> Iterator[Problem]:
    try:
        host, _ = split_bind(web.bind)
    except ValueError:
        yield Problem(
            f"[{name}] bind = '{web.bind}' is no address and port",
            "give HOST:PORT, such as '127.0.0.1:8567' or '[::1]:8567'",
            (name, "bind"),
        )
        return
    if web.token is None and not is_loopback(host):
        yield Problem(
            f"[{name}] bind = '{web.bind}' can be reached from other machines, and there is no token",
            f"bind to 127.0.0.1, or give a token of {SHORTEST_TOKEN} characters or more",
            (name, "bind"),
        )


def _together(name: str, section: object, one: str, other: str) -> Iterator[Problem]:
    if (getattr(section, one) is None) != (getattr(section, other) is None):
        yield Problem(
            f"[{name}] has one of {one} and {other}, and they work together",
            "give both; 'genrecast keys' makes the files and says the lines",
            (name,),
        )


def endpoints(given: tuple[str, ...], key: Key) -> Iterator[Problem]:
    """Give what is no endpoint to connect to."""
    for number, endpoint in enumerate(given):
        scheme, _, address = endpoint.partition("://")
        try:
            right = bool(address) and (scheme == "ipc" or (scheme == "tcp" and split_bind(address)[1] > 0))
        except ValueError:
            right = False
        if not right:
            yield Problem(
                f"{key[-1]}: '{endpoint}' is no endpoint",
                "give tcp://HOST:PORT, such as tcp://gateway.lan:5568, or ipc://PATH",
                (*key, number),
            )


def _security(security: SecurityConfig) -> Iterator[Problem]:
    for entry in () if isinstance(security.allow_private, bool) else security.allow_private:
        try:
            ipaddress.ip_network(entry, strict=False)
        except ValueError:
            if not HOST_NAME.fullmatch(entry):
                yield Problem(
                    f"[security] allow_private: '{entry}' is no network, address or host name",
                    'name such as "192.168.1.0/24", "10.0.0.5" or "icecast.lan"',
                    ("security", "allow_private"),
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


def is_local(endpoint: str) -> bool:
    """Say whether only this machine can reach a ZeroMQ endpoint."""
    try:
        parts = urlsplit(endpoint)
        if parts.scheme == "ipc":
            return True
        return is_loopback(parts.hostname or "")
    except ValueError:
        return False
