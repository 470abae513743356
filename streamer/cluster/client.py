"""A cluster as its commands see it: brought to a desired state, asked how it is, ended."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import ray
from ray.exceptions import RayError

from streamer.cluster import fleet
from streamer.cluster.coordinator import Coordinator
from streamer.cluster.desired import Desired, pack, shard_count, unpack
from streamer.cluster.state import ClusterState, NodeState
from streamer.config import Config
from streamer.errors import ClusterError
from streamer.on_ray import first_line

START_S = 30.0  # for a coordinator to begin
LOOK_S = 0.5


class Cluster:
    """What the commands do; there must be a connection (`on_ray.connected`)."""

    def desired(self) -> Desired | None:
        """Give what the cluster shall do; None where nothing was asked for."""
        handle = self._coordinator()
        return None if handle is None else unpack(_answer(handle.desired.remote()))

    def bring(self, config: Config) -> bool:
        """Have the cluster follow a configuration; say whether that is anything new.

        Raises:
            ClusterError: somebody else changes it at the same moment, or Ray can't do it.
        """
        before = self.desired()
        if before is not None and before.config == config:
            return False
        self._follow(
            Desired(
                revision=before.revision + 1 if before else 1,
                config=config,
                shards=shard_count(config),
                drained=before.drained if before else frozenset(),
            )
        )
        return True

    def drain(self, name: str, *, undo: bool = False) -> NodeState:
        """Have a node have no shards from now on, or have some again.

        Args:
            name: the beginning of the node's id, or its address.
            undo: let it have shards again.

        Raises:
            ClusterError: there is no such node, or it isn't the only one.
        """
        before = self.desired()
        if before is None:
            raise _not_up()
        nodes = self.state().nodes
        found = [node for node in nodes if node.address == name or (name and node.id.startswith(name))]
        if len(found) != 1:
            there = ", ".join(f"{node.address} ({node.id[:8]})" for node in nodes)
            raise ClusterError(
                f"'{name}' names {'no node' if not found else 'more than one node'}",
                remedy=f"name one by its address or the beginning of its id: {there}",
            )
        alive = {node.id for node in nodes}
        drained = before.drained & alive - {found[0].id} if undo else before.drained & alive | {found[0].id}
        if drained != before.drained:
            revised = msgspec.structs.replace(before, revision=before.revision + 1, drained=drained)
            self._follow(revised)
        return found[0]

    def rebalance(self) -> int:
        """Have shards move until all nodes are as full as each other; give how many will."""
        handle = self._coordinator()
        if handle is None:
            raise _not_up()
        moves: int = _answer(handle.rebalance.remote())
        return moves

    def state(self) -> ClusterState:
        """Give how it is.

        Raises:
            ClusterError: it is not up, or its coordinator gives no answer.
        """
        handle = self._coordinator()
        if handle is None:
            raise _not_up()
        return msgspec.msgpack.decode(_answer(handle.state.remote()), type=ClusterState)

    def watch(self, seconds: float, settled: Callable[[ClusterState], bool]) -> Iterator[ClusterState]:
        """Give its state again and again until it is settled, or for so long."""
        end = time.monotonic() + seconds
        while True:
            state = self.state()
            yield state
            if settled(state) or time.monotonic() > end:
                return
            time.sleep(LOOK_S)

    def end(self) -> int:
        """Have all stations tell their end, and nothing of it be left; give how many shards there were."""
        fleet.end_coordinators()
        keys = fleet.instances()
        fleet.end_shards(keys)
        return len(keys)

    def _follow(self, desired: Desired) -> None:
        try:
            handle = fleet.start_coordinator(Coordinator, desired.revision, pack(desired))
            _answer(handle.__ray_ready__.remote(), START_S)
        except ValueError as error:
            raise ClusterError(
                "somebody else has changed what the cluster shall do at this moment", remedy="try again"
            ) from error

    def _coordinator(self) -> Any:
        revisions = fleet.coordinators()
        return fleet.coordinator(revisions[-1]) if revisions else None


def _answer(asked: Any, seconds: float = START_S) -> Any:
    try:
        return ray.get(asked, timeout=seconds)
    except (RayError, TimeoutError) as error:
        raise ClusterError(
            f"the cluster's coordinator gives no answer: {first_line(error)}",
            remedy="see 'ray status'; genrecast must be installed on every node in this version",
        ) from error


def _not_up() -> ClusterError:
    return ClusterError(
        "no stations are up in this cluster", remedy="bring them with 'genrecast cluster up FILE'"
    )
