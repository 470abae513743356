"""What a cluster shall do: one value, which Ray keeps as the arguments of the coordinator's constructor."""

import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator

import msgspec

from streamer.attend import ROOMS
from streamer.config import Config, StationConfig
from streamer.engine.launch import PER_WORKER
from streamer.errors import Problem
from streamer.source.open import file_of

# Ray keeps an argument of up to 100 KB with the actor itself; a larger one would belong to the process that
# gave it, and be lost with that.
PIECE_BYTES = 64_000
RAYS_OWN = ("CPU", "GPU", "memory", "object_store_memory")
ONLY_HERE = ("soundcard", "stdin")  # schemes of sources that belong to one machine


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """The state that shards are brought to.

    Attributes:
        revision: counts the changes.
        config: the whole file, checked.
        shards: how many there shall be.
        drained: ids of nodes that shall have none.
    """

    revision: int
    config: Config
    shards: int
    drained: frozenset[str] = frozenset()


def shard_count(config: Config) -> int:
    """Give how many shards the stations of a configuration make."""
    return max(math.ceil(len(config.station) / config.cluster.per_shard), 1)


def pack(desired: Desired) -> list[bytes]:
    """Give it as arguments that Ray keeps: 50,000 stations are about 1 MB."""
    data = zlib.compress(msgspec.msgpack.encode(desired))
    return [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]


def unpack(pieces: Iterable[bytes]) -> Desired:
    """Give back what `pack` was given."""
    return msgspec.msgpack.decode(zlib.decompress(b"".join(pieces)), type=Desired)


def engine_config(config: Config, stations: tuple[StationConfig, ...]) -> Config:
    """Give what the engine of a shard is told: subscribers, and what subscribes, are at the gateway."""
    alone = msgspec.structs.replace(config.security, server_key=None, allow=None)
    return msgspec.structs.replace(
        config,
        station=stations,
        bind="tcp://127.0.0.1:*",
        # Shards are not all of one size: a few stations more than a worker's measure are no second worker.
        workers=config.workers or math.ceil(config.cluster.per_shard / PER_WORKER),
        open_to_network=False,
        security=alone,
        gateway=None,
        **dict.fromkeys(ROOMS),
    )


def make(config: Config) -> str:
    """Give what tells engines apart that can't be made one another while they run."""
    fixed = msgspec.structs.replace(engine_config(config, ()), duty=1.0, workers=0, gateways=())
    return hashlib.blake2b(msgspec.msgpack.encode(fixed), digest_size=8).hexdigest()


def rules(config: Config) -> Iterator[Problem]:
    """Give what is wrong with a configuration that one machine could follow, and many can't."""
    if not config.gateways:
        yield Problem(
            "gateways is empty: nobody would hear what the shards say",
            "run 'genrecast gateway', and name what it accepts: gateways = [\"tcp://HOST:5568\"]",
            ("gateways",),
        )
    cluster = config.cluster
    if not cluster.cpus and not cluster.resource:
        yield Problem(
            "[cluster] has neither cpus nor a resource: shards would go anywhere, and all to one node",
            "give one of them",
            ("cluster",),
        )
    if cluster.resource in RAYS_OWN:
        yield Problem(
            f"[cluster] resource = '{cluster.resource}' is one of Ray's own",
            "name one that nodes are given: ray start --resources '{\"station\": 1000}'",
            ("cluster", "resource"),
        )
    for number, station in enumerate(config.station):
        scheme, file = station.source.partition(":")[0].lower(), file_of(station.source)
        if scheme in ONLY_HERE:
            yield Problem(
                f"station '{station.id}' listens to {scheme}:, which belongs to one machine",
                "run a daemon on that machine, with the same gateways",
                ("station", number, "source"),
            )
        elif file is not None and not file.is_absolute():
            yield Problem(
                f"station '{station.id}': '{file}' is meant from a folder, and every machine has its own",
                "give the whole path, to a place that all machines see",
                ("station", number, "source"),
            )
