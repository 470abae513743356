"""What brings the shards that there are to those that there shall be: decisions, and nothing done.

Whatever moves is made before what it replaces is ended, and stations change shards in the same way: the
new one has them first. The gateway lets one of two through.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import TypeAlias

from streamer.cluster.state import NodeState, Placed, by_reason

PATIENCE_S = 20.0  # with stations that an engine that runs doesn't hear, and the one before did
AT_ONCE = 4  # shards that move: each takes room twice while it does
HUNG_S = 60.0  # an instance that answered once, and does so no more
REMADE = "its engine is to be another"
AGAIN_S = 10.0  # an instance that Ray has given up on is not replaced more often


@dataclass(frozen=True)
class Create:
    """Start an instance, on a certain node where one is named."""

    number: int
    generation: int
    node: str | None


@dataclass(frozen=True)
class Tell:
    """Tell an instance its stations."""

    number: int
    generation: int
    stations: frozenset[str]


@dataclass(frozen=True)
class Retire:
    """End an instance."""

    number: int
    generation: int


@dataclass(frozen=True)
class Restart:
    """End an instance that hangs, for Ray to start it again."""

    number: int
    generation: int


Action: TypeAlias = Create | Tell | Retire | Restart


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What shall be.

    Attributes:
        revision: of the desired state.
        make: of engines.
        shards: how many.
        own: each shard's stations, where it has any.
        stations: all of them.
        age_s: seconds since this has been the goal.
    """

    revision: int
    make: str
    shards: int
    own: Mapping[int, frozenset[str]]
    stations: Set[str]
    age_s: float


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is.

    Attributes:
        placed: all instances that are not being ended.
        nodes: those that are alive.
        wanted: on which node a shard shall be, where that is asked for.
        tried: seconds since an instance of a shard was last started, by its number.
    """

    placed: tuple[Placed, ...]
    nodes: tuple[NodeState, ...]
    wanted: Mapping[int, str]
    tried: Mapping[int, float]

    def by_number(self) -> dict[int, list[Placed]]:
        """Give the instances of each shard, the oldest first."""
        found = defaultdict[int, list[Placed]](list)
        for one in sorted(self.placed, key=lambda placed: placed.generation):
            found[one.number].append(one)
        return found


def decide(goal: Goal, seen: Seen) -> tuple[list[Action], list[str]]:
    """Give what to do now, and what stands in the way."""
    groups = seen.by_number()
    shares = _shares(goal, seen)
    missing = [number for number in range(goal.shards) if number not in groups]
    actions: list[Action] = [
        Create(number, 0, None) for number in missing if seen.tried.get(number, AGAIN_S) >= AGAIN_S
    ]
    over = [one for group in groups.values() for one in _over(goal, seen, group, shares)]
    actions += [Retire(*one.key) for one in over]
    moves, notes = _moves(goal, seen, groups)
    actions += moves
    alive = {node.id for node in seen.nodes}
    for one in seen.placed:
        if one.state is None or one in over:
            continue
        if one.silent_s > HUNG_S and one.node in alive:
            actions.append(Restart(*one.key))
        # An engine of another make can't follow: it goes on as it is until its successor takes over.
        elif one.state.make in ("", goal.make) and not _follows(goal, one, shares[one.key]):
            actions.append(Tell(*one.key, shares[one.key]))
    return actions, notes


def _over(
    goal: Goal, seen: Seen, group: list[Placed], shares: Mapping[tuple[int, int], frozenset[str]]
) -> list[Placed]:
    """Give the instances of a shard that have done what they were for, or are not needed after all."""
    *olds, newest = group
    ended = [one for one in group if one.state is not None and one.state.ended]
    if ended or newest.number >= goal.shards:
        return ended or [one for one in group if not any(shares[other.key] for other in group)]
    if not olds:
        return []
    if newest.state is None and olds[-1].state is not None and _must_move(goal, seen, olds[-1]) is None:
        return [newest]
    if not _takes_over(goal, newest, olds, shares[newest.key]):
        return []
    return [old for old in olds if shares[old.key] <= shares[newest.key]]


def balance(seen: Seen) -> dict[int, str]:
    """Give on which node shards must be so that all nodes are as full as each other, by few moves."""
    here = {node.id: node for node in seen.nodes if not node.drained and node.slots}
    on: dict[str, list[int]] = {id: [] for id in here}
    for one in seen.placed:
        if one.node in on:
            on[one.node].append(one.number)
    moves = dict[int, str]()
    while here:
        full = max(here, key=lambda id: len(on[id]) / here[id].slots)
        free = min(here, key=lambda id: (len(on[id]) + 1) / here[id].slots)
        if (len(on[free]) + 1) / here[free].slots >= len(on[full]) / here[full].slots:
            break
        number = on[full].pop()
        on[free].append(number)
        moves[number] = free
    return moves


def _shares(goal: Goal, seen: Seen) -> dict[tuple[int, int], frozenset[str]]:
    """Give each instance's stations: its own, and those that are not heard yet where they belong."""
    settled: set[str] = set()
    for one in seen.placed:
        if one.state is not None:
            there = goal.own.get(one.number, frozenset()) & set(one.state.stations)
            patient = min(goal.age_s, one.state.engine_s) <= PATIENCE_S
            settled |= there - set(one.state.unheard) if patient else there
    shares = {}
    for one in seen.placed:
        has = set(one.state.stations) if one.state is not None else set()
        shares[one.key] = goal.own.get(one.number, frozenset()) | ((has - settled) & goal.stations)
    return shares


def _follows(goal: Goal, one: Placed, share: frozenset[str]) -> bool:
    state = one.state
    return state is not None and (state.revision, frozenset(state.stations)) == (goal.revision, share)


def _takes_over(goal: Goal, new: Placed, olds: list[Placed], share: frozenset[str]) -> bool:
    """Say whether an instance is heard as well as those that it replaces."""
    if new.state is None or not _follows(goal, new, share):
        return False
    heard = set[str]()
    for old in olds:
        if old.state is not None and old.silent_s < PATIENCE_S:
            heard |= set(old.state.stations) - set(old.state.unheard)
    return not heard & set(new.state.unheard) or new.state.engine_s > PATIENCE_S


def _moves(goal: Goal, seen: Seen, groups: Mapping[int, list[Placed]]) -> tuple[list[Create], list[str]]:
    moving = sum(len(group) > 1 for group in groups.values())
    taken = Counter(one.node for one in seen.placed)
    stays = Counter(group[-1].node for group in groups.values())
    slots = {node.id: node.slots for node in seen.nodes if not node.drained}
    moves, reasons = list[Create](), list[tuple[int, str]]()
    for number, group in groups.items():
        why = _must_move(goal, seen, group[-1]) if number < goal.shards else None
        moves_already = len(group) > 1
        if why is None or (why != REMADE if moves_already else moving >= AT_ONCE):
            continue
        room = [id for id, most in slots.items() if taken[id] < most]
        fullness = {id: (stays[id] + (id != group[-1].node)) / slots[id] for id in room}  # were it there
        node = seen.wanted.get(number) or min(fullness, key=fullness.__getitem__, default="")
        if node not in room:
            reasons.append((number, f"can't move: {why}, and no other node has room"))
            continue
        taken[node] += 1
        stays[group[-1].node] -= 1
        stays[node] += 1
        moving += not moves_already
        moves.append(Create(number, group[-1].generation + 1, node))
    return moves, by_reason(reasons)


def _must_move(goal: Goal, seen: Seen, one: Placed) -> str | None:
    if one.state is None:
        return None
    if one.state.make not in ("", goal.make):
        return REMADE
    if any(node.id == one.state.node and node.drained for node in seen.nodes):
        return "its node is drained"
    if seen.wanted.get(one.number, one.state.node) != one.state.node:
        return "it is out of balance"
    return None
