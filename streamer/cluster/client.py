"""A cluster as its commands see it: brought to a desired state, asked how it is, ended."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import ray
from ray.exceptions import ActorAlreadyExistsError, RayError

from streamer.cluster import fleet
from streamer.cluster.coordinator import Coordinator
from streamer.cluster.desired import Desired, engine_config, pack, shard_count, unpack
from streamer.cluster.state import ClusterState, NodeState
from streamer.config import Config
from streamer.errors import ClusterError
from streamer.on_ray import reason

START_S = 30.0  # for a coordinator to begin
LOOK_S = 0.5
TRIES = 5  # where somebody else changes the same


class Cluster:
    """What the commands do; there must be a connection (`on_ray.connected`)."""

    def desired(self) -> Desired | None:
        """Give what the cluster shall do; None where nothing was asked for."""
        pieces = _ask("desired")
        return None if pieces is None else _decoded(lambda: unpack(pieces))

    def bring(self, config: Config) -> bool:
        """Have the cluster follow a configuration; say whether that is anything new.

        Raises:
            ClusterError: somebody else changes it at the same moment, or Ray can't do it.
        """
        before, config = self.desired(), engine_config(config, config.station)
        if before is None:
            # Later than that of any other before, of which a shard may be left.
            self._follow(Desired(revision=int(time.time()), config=config, shards=shard_count(config)))
            return True
        if before.config == config:
            return False
        changes = {"revision": before.revision + 1, "config": config, "shards": shard_count(config)}
        self._follow(msgspec.structs.replace(before, **changes))
        return True

    def drain(self, name: str, *, undo: bool = False) -> NodeState:
        """Have a node have no shards from now on, or have some again.

        Args:
            name: the beginning of the node's id, or its address.
            undo: let it have shards again.

        Raises:
            ClusterError: there is no such node, or it isn't the only one.
        """
        nodes = self.state().nodes
        found = [node for node in nodes if node.address == name or (name and node.id.startswith(name))]
        if len(found) != 1:
            there = ", ".join(f"{node.address} ({node.id[:8]})" for node in nodes)
            raise ClusterError(
                f"'{name}' names {'no node' if not found else 'more than one node'}",
                remedy=f"name one by its address or the beginning of its id: {there}",
            )
        for left in reversed(range(TRIES)):
            try:
                self._drain(found[0].id, {node.id for node in nodes}, undo)
                break
            except ClusterError:  # somebody else drains another one
                if not left:
                    raise
        return found[0]

    def rebalance(self) -> int:
        """Have shards move until all nodes are as full as each other; give how many will."""
        moves: int = _ask_up("rebalance")
        return moves

    def state(self) -> ClusterState:
        """Give how it is.

        Raises:
            ClusterError: it is not up, or its coordinator gives no answer.
        """
        answer = _ask_up("state")
        state: ClusterState = _decoded(lambda: msgspec.msgpack.decode(answer, type=ClusterState))
        return state

    def watch(self, patience_s: float, settled: Callable[[ClusterState], bool]) -> Iterator[ClusterState]:
        """Give its state again and again until it is settled, or doesn't change for so long."""
        shown, end = None, time.monotonic() + patience_s
        while True:
            state = self.state()
            yield state
            at = [
                (one.key, one.node, one.state and (one.state.revision, one.state.make))
                for one in state.placed
            ]
            if at != shown:
                shown, end = at, time.monotonic() + patience_s
            if settled(state) or time.monotonic() > end:
                return
            time.sleep(LOOK_S)

    def end(self) -> int:
        """Have all stations tell their end, and nothing of it be left; give how many shards there were."""
        ended = set[fleet.Key]()
        while True:
            fleet.end_coordinators()
            keys = fleet.instances()
            if not keys and not fleet.coordinators():
                return len({number for number, _ in ended})
            ended |= keys
            fleet.end_shards(keys, removed=False)

    def _drain(self, node: str, alive: set[str], undo: bool) -> None:
        before = self.desired()
        if before is None:
            raise _not_up()
        drained = before.drained & alive - {node} if undo else before.drained & alive | {node}
        if drained != before.drained:
            changes = {"revision": before.revision + 1, "drained": drained}
            self._follow(msgspec.structs.replace(before, **changes))

    def _follow(self, desired: Desired) -> None:
        failed: ClusterError | None = None
        try:
            handle = fleet.start_coordinator(Coordinator, desired.revision, pack(desired))
            _answer(handle.__ray_ready__.remote())
        except ActorAlreadyExistsError as error:
            raise _overtaken() from error
        except ClusterError as error:
            failed = error
        # A later one may have ended ours, or have been there before: a name is free again that was taken.
        if fleet.coordinators()[-1:] > [desired.revision]:
            raise _overtaken() from failed
        if failed is not None:
            raise failed


def _ask(name: str) -> Any:
    """Ask the newest coordinator, by the name of its method; None where there is none.

    Raises:
        ClusterError: it gives no answer, and no other has taken its place.
    """
    while revisions := fleet.coordinators():
        try:
            return _answer(getattr(fleet.coordinator(revisions[-1]), name).remote())
        except ValueError:  # another one has just taken its place
            time.sleep(LOOK_S)
        except ClusterError:
            if fleet.coordinators()[-1:] == revisions[-1:]:
                raise
    return None


def _ask_up(name: str) -> Any:
    answer = _ask(name)
    if answer is None:
        raise _not_up()
    return answer


def _answer(asked: Any) -> Any:
    try:
        return ray.get(asked, timeout=START_S)
    except (RayError, TimeoutError) as error:
        raise ClusterError(
            f"the cluster's coordinator gives no answer: {reason(error)}",
            remedy="see 'ray status', and try again; every node must have genrecast, in this version",
        ) from error


def _decoded(decode: Callable[[], Any]) -> Any:
    try:
        return decode()
    except msgspec.MsgspecError as error:
        raise ClusterError(
            f"the cluster was brought up by another version of genrecast: {error}",
            remedy="use that one, or end it with 'genrecast cluster down' and bring it up again",
        ) from error


def _overtaken() -> ClusterError:
    return ClusterError(
        "somebody else has changed what the cluster shall do at this moment", remedy="try again"
    )


def _not_up() -> ClusterError:
    return ClusterError(
        "no stations are up in this cluster", remedy="bring them with 'genrecast cluster up FILE'"
    )
