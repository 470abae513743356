"""All that is asked of Ray: which actors and nodes there are, new actors, calls that never hang.

Actors have names from which all follows: `coordinator-REVISION`, `shard-NUMBER-GENERATION`. Ray keeps them,
so that nothing of ours has to be remembered elsewhere.
"""

import contextlib
import time
from collections.abc import Iterable
from typing import Any

import msgspec
import ray
from ray.exceptions import ActorAlreadyExistsError, GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from streamer.cluster.state import NodeState, ShardState
from streamer.on_ray import reason
from streamer.sections import ClusterConfig

NAMESPACE = "genrecast"
CALL_S = 5.0
STOP_S = 8.0
Key = tuple[int, int]
"""Number and generation of an instance of a shard."""


def own_node() -> str:
    """Give the id of the node that this actor is on."""
    node: str = ray.get_runtime_context().get_node_id()
    return node


def nodes(cluster: ClusterConfig, drained: frozenset[str]) -> tuple[NodeState, ...]:
    """Give the nodes that are alive, each with how many shards it could hold."""
    found = []
    for node in ray.nodes():
        if not node["Alive"]:
            continue
        id, has = node["NodeID"], node["Resources"]
        slots = [has.get("CPU", 0.0) / cluster.cpus] if cluster.cpus else []
        slots += [has.get(cluster.resource, 0.0) / cluster.per_shard] if cluster.resource else []
        address = node["NodeManagerAddress"]
        found.append(
            NodeState(id=id, address=address, slots=int(min(slots, default=0)), drained=id in drained)
        )
    return tuple(found)


def coordinators() -> list[int]:
    """Give the revisions of the coordinators that there are, the oldest first."""
    return sorted(int(revision) for kind, revision, *_ in _names() if kind == "coordinator")


def instances() -> set[Key]:
    """Give the instances of shards that there are, also those that wait for room."""
    return {(int(number), int(rest[0])) for kind, number, *rest in _names() if kind == "shard"}


def coordinator(revision: int) -> Any:
    """Give a handle of a coordinator; ValueError where it has gone."""
    return ray.get_actor(f"coordinator-{revision}", namespace=NAMESPACE)


def shard(key: Key) -> Any:
    """Give a handle of an instance; ValueError where it has gone."""
    return ray.get_actor("shard-{}-{}".format(*key), namespace=NAMESPACE)


def start_coordinator(kind: type, revision: int, pieces: Iterable[bytes]) -> Any:
    """Start one that Ray starts again as often as it is lost; ActorAlreadyExistsError where there is one."""
    return _start(kind, f"coordinator-{revision}", tuple(pieces), num_cpus=0)


def start_shard(kind: type, key: Key, config: ClusterConfig, node: str | None) -> None:
    """Start an instance where there is room, on a certain node if it can be had; once is enough."""
    strategy = "SPREAD" if node is None else NodeAffinitySchedulingStrategy(node, soft=True)
    resources = {config.resource: config.per_shard} if config.resource else {}
    with contextlib.suppress(ActorAlreadyExistsError):
        _start(
            kind,
            "shard-{}-{}".format(*key),
            key[:1],
            num_cpus=config.cpus,
            resources=resources,
            scheduling_strategy=strategy,
        )


def tell(key: Key, share: bytes) -> None:
    """Tell an instance its share; who has gone meanwhile is passed over."""
    with contextlib.suppress(ValueError):
        shard(key).follow.remote(share)


def ask_share(number: int) -> bytes | None:
    """Ask the newest coordinator for a shard's share; None where it gives no answer."""
    with contextlib.suppress(RayError, ValueError, IndexError):
        asked = coordinator(coordinators()[-1]).share.remote(number)
        share: bytes | None = ray.get(asked, timeout=CALL_S)
        return share
    return None


def end_shards(keys: Iterable[Key], *, removed: bool) -> None:
    """Have instances tell their stations' ends, all at the same time, and end them.

    Args:
        keys: of them; who has gone already is passed over.
        removed: their stations are elsewhere, or nowhere any more: not merely asked to end.
    """
    handles = []
    for key in keys:
        with contextlib.suppress(ValueError):
            handles.append(shard(key))
    if handles:
        stops = [handle.stop.remote(removed) for handle in handles]
        ray.wait(stops, num_returns=len(stops), timeout=STOP_S)
    for handle in handles:
        ray.kill(handle, no_restart=True)


def end_coordinators(before: int | None = None) -> None:
    """End the coordinators of older revisions, or all."""
    for revision in coordinators():
        if before is None or revision < before:
            with contextlib.suppress(ValueError):
                ray.kill(coordinator(revision), no_restart=True)


class Polled:
    """What instances last said of themselves, asked again as soon as they have answered.

    Attributes:
        states: of each, None where it has said nothing yet.
        silent_s: seconds since it said that, or since it was first seen.
        troubles: why an instance of a shard could not answer, by the shard's number, until one does.
    """

    def __init__(self) -> None:
        self.states: dict[Key, ShardState | None] = {}
        self.silent_s: dict[Key, float] = {}
        self.troubles: dict[int, str] = {}
        self._asked: dict[Key, Any] = {}
        self._looked = time.monotonic()

    def look(self) -> None:
        """Take the answers that are there, and ask whoever owes none."""
        keys, now = instances(), time.monotonic()
        # Where Ray itself held us up, that is nobody's silence.
        passed, self._looked = min(now - self._looked, 2.0), now
        for key in keys:
            self.states.setdefault(key, None)
            self.silent_s[key] = self.silent_s.get(key, 0.0) + passed
        for key, answer in list(self._asked.items()):
            if ray.wait([answer], timeout=0)[0]:
                del self._asked[key]
                self._take(key, answer)
        for gone in self.states.keys() - keys:
            for of_each in (self.states, self.silent_s, self._asked):
                of_each.pop(gone, None)
        for key in keys - self._asked.keys():
            with contextlib.suppress(ValueError):
                self._asked[key] = shard(key).state.remote()

    def doubt(self, key: Key) -> None:
        """Take nothing for true any more that an instance has said."""
        self.states[key] = None

    def _take(self, key: Key, answer: Any) -> None:
        try:
            state = msgspec.msgpack.decode(ray.get(answer, timeout=CALL_S), type=ShardState)
        except (RayError, GetTimeoutError, msgspec.MsgspecError) as error:
            self.troubles[key[0]] = reason(error)
        else:
            self.states[key], self.silent_s[key] = state, 0.0
            self.troubles.pop(key[0], None)


def restart(key: Key) -> None:
    """Have Ray end an instance that hangs, and start it again."""
    with contextlib.suppress(ValueError):
        ray.kill(shard(key), no_restart=False)


def _names() -> list[list[str]]:
    return [name.split("-") for name in ray.util.list_named_actors() if name.count("-")]


def _start(kind: type, name: str, arguments: tuple[Any, ...], **options: Any) -> Any:
    actor = ray.remote(kind).options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        max_restarts=-1,
        max_task_retries=-1,
        max_concurrency=8,
        **options,
    )
    return actor.remote(*arguments)
