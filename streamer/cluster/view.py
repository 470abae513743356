"""How a cluster looks to a person, and when it is as it should be."""

from collections import Counter, defaultdict

from streamer.cluster.state import ClusterState, Placed


def is_complete(state: ClusterState) -> bool:
    """Say whether every shard is there once, follows, and no move is under way."""
    follows = [one.number for one in state.placed if one.state and one.state.revision == state.revision]
    once = sorted(one.number for one in state.placed) == list(range(state.shards))
    return once and len(follows) == state.shards and not state.moving and not state.notes


def is_empty(state: ClusterState, node: str) -> bool:
    """Say whether a node has no shards any more."""
    return any(other.id == node and other.drained for other in state.nodes) and not any(
        one.node in (node, None) for one in state.placed
    )


def summary(state: ClusterState) -> str:
    """Give one line."""
    stations = {id for one in state.placed if one.state for id in one.state.stations}
    unheard = {id for one in state.placed if one.state for id in one.state.unheard}
    return (
        f"{len(stations)} of {state.stations} stations are listened to, {len(stations - unheard)} are heard; "
        f"{len(state.placed)} of {state.shards} shards, on {len({one.node for one in state.placed})} nodes"
    )


def table(state: ClusterState) -> str:
    """Give the whole: a line a node, then what stands in the way."""
    on = defaultdict[str | None, list[Placed]](list)
    for one in state.placed:
        on[one.node].append(one)
    versions = Counter(one.state.version for one in state.placed if one.state)
    lines = [summary(state), "", f"{'node':<24} shards  stations  heard    cpu      MiB"]
    for node in state.nodes:
        states = [one.state for one in on[node.id] if one.state]
        stations, unheard = sum(len(s.stations) for s in states), sum(len(s.unheard) for s in states)
        name = f"{node.address} {node.id[:8]}"
        lines.append(
            f"{name:<24} {len(on[node.id]):3}/{node.slots:<3} {stations:8} {stations - unheard:6} "
            f"{sum(s.cpu for s in states):6.2f} {sum(s.rss_mb for s in states):8.0f}"
            + ("  drained" if node.drained else "")
        )
    notes = list(state.notes)
    notes += [
        f"shard {one.number}: {one.state.failure}" for one in state.placed if one.state and one.state.failure
    ]
    if len(versions) > 1:
        notes.append("nodes have different versions of genrecast: " + ", ".join(sorted(versions)))
    return "\n".join([*lines, *(["", *notes] if notes else [])])
