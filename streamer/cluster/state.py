"""What is told of a cluster: by a shard to the coordinator, and by the coordinator to whoever asks."""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

NAMED = 3  # shards in a sentence about them


class ShardState(msgspec.Struct, frozen=True, kw_only=True):
    """How a shard is.

    Attributes:
        node: id of the node that it is on.
        pid: of its process there.
        revision: of the desired state that it follows; 0 before it knows of any.
        make: of its engine (`desired.make`).
        stations: ids of those that are its own.
        unheard: ids of those among them of which there is no signal.
        deaf: gateways that its messages don't reach, each with a sentence that says why.
        failure: why its engine doesn't run, where it should.
        ended: it was told to stop, and won't begin again.
        engine_s: seconds for which its engine has been running.
        cpu: share of one core, of the engine.
        rss_mb: resident memory of the engine in MiB; pages that its processes share count for each.
        windows: done since the engine began.
        dropped: due and not done since the engine began.
        version: of genrecast.
    """

    node: str
    pid: int
    revision: int = 0
    make: str = ""
    stations: tuple[str, ...] = ()
    unheard: tuple[str, ...] = ()
    deaf: dict[str, str] = {}
    failure: str | None = None
    ended: bool = False
    engine_s: float = 0.0
    cpu: float = 0.0
    rss_mb: float = 0.0
    windows: int = 0
    dropped: int = 0
    version: str = ""


class Share(msgspec.Struct, frozen=True):
    """What a shard is told: the revision, and a configuration with its stations alone."""

    revision: int
    make: str
    config: bytes


class NodeState(msgspec.Struct, frozen=True, kw_only=True):
    """A node that could have shards.

    Attributes:
        id: Ray's.
        address: of it.
        slots: how many shards it could hold.
        drained: it shall have none.
    """

    id: str
    address: str
    slots: int
    drained: bool = False


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a shard; while it moves it has two.

    Attributes:
        number: of the shard.
        generation: of the instance.
        state: as it was last told; None where it has not begun.
        silent_s: seconds since that was told, or since the instance was first seen.
        node: id of the node that it is on, or was started for; None where Ray has yet to choose.
    """

    number: int
    generation: int
    state: ShardState | None
    silent_s: float
    node: str | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Number and generation."""
        return self.number, self.generation


class ClusterState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole.

    Attributes:
        revision: of the desired state.
        stations: how many there shall be.
        shards: how many there shall be.
        nodes: those that are alive.
        placed: all instances.
        moving: how many shards are to be elsewhere, by `rebalance`.
        notes: what stands in the way of the desired state, one sentence each.
    """

    revision: int
    stations: int
    shards: int
    nodes: tuple[NodeState, ...]
    placed: tuple[Placed, ...]
    moving: int = 0
    notes: tuple[str, ...] = ()


def by_reason(reasons: Iterable[tuple[int, str]]) -> list[str]:
    """Give a sentence for each of the reasons that shards have, by their numbers."""
    having = defaultdict[str, list[int]](list)
    for number, why in reasons:
        having[why].append(number)
    notes = []
    for why, numbers in having.items():
        some, more = ", ".join(map(str, numbers[:NAMED])), len(numbers) - NAMED
        who = f"shard{'s' if len(numbers) > 1 else ''} {some}{f' and {more} more' if more > 0 else ''}"
        notes.append(f"{who}: {why}")
    return notes
