"""How a cluster looks to a person, what stands in its way, and when it is as it should be."""

from collections import Counter, defaultdict
from collections.abc import Mapping

from streamer.cluster.plan import Seen
from streamer.cluster.state import ClusterState, Placed, by_reason
from streamer.sections import ClusterConfig

WAITS_S = 5.0  # what an instance said longer ago than that isn't taken for true any more


def is_complete(state: ClusterState) -> bool:
    """Say whether every shard is there once, follows, and nothing is to move or stands in the way."""
    follows = [one.number for one in _fresh(state) if one.state and one.state.revision == state.revision]
    once = sorted(one.number for one in state.placed) == list(range(state.shards))
    return once and len(follows) == state.shards and not state.moving and not state.notes


def is_empty(state: ClusterState, node: str) -> bool:
    """Say whether a node has no shards any more, and gets none."""
    drained = any(other.id == node and other.drained for other in state.nodes)
    return drained and not any(one.node == node for one in state.placed)


def notes_on(seen: Seen, shards: int, troubles: Mapping[int, str], cluster: ClusterConfig) -> list[str]:
    """Give what stands in the way of shards and can't be mended from here, one sentence each."""
    there = {one.number for one in seen.placed}
    reasons = [
        (number, f"not there: {troubles.get(number, 'being started')}")
        for number in range(shards)
        if number not in there
    ]
    needs = [f"{cluster.cpus:g} CPU"] if cluster.cpus else []
    needs += [f"{cluster.per_shard} of '{cluster.resource}'"] if cluster.resource else []
    for one in seen.placed:
        if one.state is not None and one.state.failure is not None:
            reasons.append((one.number, f"its engine can't run: {one.state.failure}"))
        if one.silent_s > WAITS_S:
            why = troubles.get(one.number, f"it needs a node with {' and '.join(needs)} free")
            reasons.append((one.number, f"no answer: {why}"))
    deaf = Counter(each for one in seen.placed if one.state is not None for each in one.state.deaf.items())
    unheard = [
        f"gateway {gateway} doesn't hear {count} shard(s): {why}" for (gateway, why), count in deaf.items()
    ]
    return by_reason(reasons) + unheard


def summary(state: ClusterState) -> str:
    """Give one line."""
    running = [one for one in _fresh(state) if one.state is not None and one.state.failure is None]
    stations = {id for one in running if one.state for id in one.state.stations}
    heard = {id for one in running if one.state for id in set(one.state.stations) - set(one.state.unheard)}
    shards, nodes = {one.number for one in running}, {one.node for one in running}
    return (
        f"{len(stations)} of {state.stations} stations are listened to, {len(heard)} are heard; "
        f"{len(shards)} of {state.shards} shards, on {len(nodes)} nodes"
    )


def table(state: ClusterState) -> str:
    """Give the whole: a line a node, then what stands in the way."""
    on = defaultdict[str | None, list[Placed]](list)
    for one in _fresh(state):
        on[one.node].append(one)
    lines = [summary(state), "", f"{'node':<24} shards  stations  heard    cpu      MiB"]
    for node in state.nodes:
        states = [one.state for one in on[node.id] if one.state and one.state.failure is None]
        stations, unheard = sum(len(s.stations) for s in states), sum(len(s.unheard) for s in states)
        name = f"{node.address} {node.id[:8]}"
        lines.append(
            f"{name:<24} {len(on[node.id]):3}/{node.slots:<3} {stations:8} {stations - unheard:6} "
            f"{sum(s.cpu for s in states):6.2f} {sum(s.rss_mb for s in states):8.0f}"
            + ("  drained" if node.drained else "")
        )
    versions = {one.state.version for one in state.placed if one.state}
    mixed = [f"nodes have different versions of genrecast: {', '.join(sorted(versions))}"]
    notes = [*state.notes, *(mixed if len(versions) > 1 else [])]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _fresh(state: ClusterState) -> list[Placed]:
    return [one for one in state.placed if one.silent_s <= WAITS_S]
