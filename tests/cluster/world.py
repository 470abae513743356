"""A cluster that is only imagined: nodes, instances that take their time, stations that are heard late."""

from dataclasses import dataclass, field

from streamer.cluster.hashing import homes, owned
from streamer.cluster.plan import Create, Goal, Restart, Retire, Seen, Tell, decide
from streamer.cluster.state import NodeState, Placed, ShardState

Key = tuple[int, int]
BROKEN = "broken"  # a make of engines that can't run


@dataclass
class Instance:
    node: str | None
    begins: int
    make: str
    revision: int = 0
    began: int | None = None
    fails: bool = False  # its engine can't run
    heard_from: dict[str, int] = field(default_factory=dict)  # station to tick


class World:
    """Time goes in ticks of a second."""

    def __init__(self, nodes: dict[str, int], *, begin_ticks: int, hear_ticks: int) -> None:
        self.slots = nodes
        self.drained: set[str] = set()
        self.wanted: dict[int, str] = {}
        self.instances: dict[Key, Instance] = {}
        self.notes: list[str] = []
        self._begin_ticks, self._hear_ticks = begin_ticks, hear_ticks
        self._tick = self._since = self._revision = 0
        self._tried: dict[int, int] = {}

    def want(self, stations: list[str], shards: int, make: str = "m") -> None:
        self._revision += 1
        self._since = self._tick
        self.home, self.shards, self.make = homes(stations, shards), shards, make

    def drain(self, node: str) -> None:
        self._revision += 1
        self.drained = {node}

    def lose(self, node: str, *, for_good: bool = False) -> None:
        """Ray starts anew elsewhere what was there."""
        if for_good:
            del self.slots[node]
        for key, instance in self.instances.items():
            if instance.node == node:
                self._place(key, self._room(exclude=node))

    def heard(self) -> set[str]:
        return {
            id
            for instance in self.instances.values()
            for id, when in instance.heard_from.items()
            if when <= self._tick and not instance.fails
        }

    def step(self) -> None:
        self._tick += 1
        for (number, _), instance in self.instances.items():
            if instance.began is None and instance.node is not None and instance.begins <= self._tick:
                instance.began = self._tick
                own = {id for id, home in self.home.items() if home == number}
                self._tell(instance, own)
        actions, self.notes = decide(self.goal(), self.seen())
        for action in actions:
            match action:
                case Create(number, generation, node):
                    assert (number, generation) not in self.instances
                    self._tried[number] = self._tick
                    self._place((number, generation), node or self._room())
                case Tell(number, generation, stations):
                    self._tell(self.instances[number, generation], set(stations))
                case Restart(number, generation):
                    raise AssertionError("nobody hangs here")
                case Retire(number, generation):
                    del self.instances[number, generation]

    def seen(self) -> Seen:
        placed = [
            Placed(number=key[0], generation=key[1], state=self._state(one), silent_s=0.0, node=one.node)
            for key, one in sorted(self.instances.items())
        ]
        return Seen(
            placed=tuple(placed),
            nodes=tuple(
                NodeState(id=id, address=id, slots=slots, drained=id in self.drained)
                for id, slots in self.slots.items()
            ),
            wanted=self.wanted,
            tried={number: self._tick - when for number, when in self._tried.items()},
        )

    def settled(self) -> bool:
        """Say whether all is exactly as it shall be."""
        if sorted(number for number, _ in self.instances) != list(range(self.shards)):
            return False
        for (number, _), one in self.instances.items():
            own = {id for id, home in self.home.items() if home == number}
            told = (one.revision, one.make, set(one.heard_from))
            if one.node in self.drained or told != (self._revision, self.make, own):
                return False
            if self.wanted.get(number, one.node) != one.node:
                return False
        return True

    def goal(self) -> Goal:
        return Goal(
            revision=self._revision,
            make=self.make,
            shards=self.shards,
            own=owned(self.home),
            stations=self.home.keys(),
            age_s=float(self._tick - self._since),
        )

    def _state(self, one: Instance) -> ShardState | None:
        if one.began is None or one.node is None:
            return None
        return ShardState(
            node=one.node,
            pid=1,
            revision=one.revision,
            make=one.make,
            stations=tuple(one.heard_from),
            unheard=tuple(id for id, when in one.heard_from.items() if when > self._tick or one.fails),
            failure="it can't run" if one.fails else None,
            engine_s=0.0 if one.fails else float(self._tick - one.began),
        )

    def _tell(self, instance: Instance, stations: set[str]) -> None:
        when = self._tick + self._hear_ticks
        instance.heard_from = {id: instance.heard_from.get(id, when) for id in sorted(stations)}
        instance.revision, instance.make = self._revision, self.make
        instance.fails = self.make == BROKEN

    def _place(self, key: Key, node: str | None) -> None:
        self.instances[key] = Instance(node, self._tick + self._begin_ticks, self.make)

    def _room(self, exclude: str = "") -> str:
        """Ray knows nothing of what is drained."""
        return max(
            (id for id in self.slots if id != exclude),
            key=lambda id: self.slots[id] - sum(one.node == id for one in self.instances.values()),
        )
