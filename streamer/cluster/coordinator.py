"""The coordinator: an actor that looks, once a second, and brings what is to what shall be.

All that it must not forget are its constructor's arguments, which Ray keeps, and the actors themselves. A
change of the desired state is a new coordinator, which ends the one before. While there is none, shards go
on with what they were last told.
"""

import logging
import threading
import time
from dataclasses import replace

import msgspec
from ray.exceptions import RayError

from streamer import log as logs
from streamer.cluster import fleet
from streamer.cluster.desired import engine_config, make, unpack
from streamer.cluster.fleet import Key
from streamer.cluster.hashing import homes
from streamer.cluster.plan import Action, Create, Goal, Restart, Retire, Seen, Tell, balance, decide
from streamer.cluster.shard import Shard
from streamer.cluster.state import ClusterState, NodeState, Placed, Share
from streamer.on_ray import first_line

log = logging.getLogger(__name__)

LOOK_S = 1.0
FIRST_LOOK_S = 10.0  # for those who are there to tell how they are
WAITS_S = 5.0  # an instance that has not begun by then is told as waiting for room


class Coordinator:
    """See the module.

    Args:
        pieces: the desired state (`desired.pack`).
    """

    def __init__(self, *pieces: bytes) -> None:
        logs.setup(logging.INFO)
        self._pieces, self._desired = list(pieces), unpack(pieces)
        self._make = make(self._desired.config)
        self._stations = {station.id: station for station in self._desired.config.station}
        self._home = homes(self._stations, self._desired.shards)
        self._began = time.monotonic()
        self._polled = fleet.Polled()
        self._wanted: dict[int, str] = {}
        self._tried: dict[int, float] = {}
        self._meant: dict[Key, str | None] = {}
        self._running: dict[Key, tuple[str, int, float]] = {}  # node, process, since when
        self._ending: set[Key] = set()
        self._notes: list[str] = []
        self._looked = threading.Event()
        self._lock = threading.Lock()  # on what is wanted, which commands change too
        self._seen = Seen(placed=(), nodes=(), wanted={}, tried={}, running_s={})
        fleet.end_coordinators(before=self._desired.revision)
        threading.Thread(target=self._run, daemon=True).start()

    def desired(self) -> list[bytes]:
        """Give what it was made with: the desired state, packed."""
        return self._pieces

    def share(self, number: int, generation: int) -> bytes:
        """Give what an instance is told that has just begun; see `Share`."""
        return self._share(frozenset(id for id, home in self._home.items() if home == number))

    def rebalance(self) -> int:
        """Have shards move until all nodes are as full as each other; give how many will."""
        self._looked.wait(FIRST_LOOK_S)
        with self._lock:
            self._wanted = balance(replace(self._seen, nodes=self._nodes()))  # one may just have come
            return len(self._wanted)

    def state(self) -> bytes:
        """Give all that is known; see `ClusterState`."""
        self._looked.wait(FIRST_LOOK_S)
        return msgspec.msgpack.encode(
            ClusterState(
                revision=self._desired.revision,
                stations=len(self._stations),
                shards=self._desired.shards,
                nodes=self._seen.nodes,
                placed=self._seen.placed,
                moving=len(self._wanted),
                notes=tuple(self._notes),
            )
        )

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                self._look()
                self._act()
                if all(one.state or one.silent_s > FIRST_LOOK_S / 2 for one in self._seen.placed):
                    self._looked.set()
            except RayError as error:  # the head is away: shards go on, and so do we, later
                log.warning("Ray gives no answer: %s", first_line(error))
            except Exception:
                log.exception("the coordinator met what was not foreseen")
            time.sleep(max(0.0, LOOK_S - (time.monotonic() - began)))

    def _look(self) -> None:
        self._polled.look()
        now = time.monotonic()
        placed = []
        for key, state in sorted(self._polled.states.items()):
            if state is not None and self._running.get(key, ())[:2] != (state.node, state.pid):
                self._running[key] = state.node, state.pid, now
            node = state.node if state is not None else self._meant.get(key)
            trouble = self._polled.troubles.get(key)
            placed.append(
                Placed(
                    number=key[0],
                    generation=key[1],
                    state=state,
                    silent_s=self._polled.silent_s[key],
                    node=node,
                    trouble=trouble,
                )
            )
        self._ending &= self._polled.states.keys()
        nodes = self._nodes()
        there = {(one.number, one.node) for one in placed if one.state is not None}
        alive = {node.id for node in nodes if not node.drained}
        with self._lock:
            wanted = self._wanted.items()
            self._wanted = {n: node for n, node in wanted if node in alive and (n, node) not in there}
        self._seen = Seen(
            placed=tuple(one for one in placed if one.key not in self._ending),
            nodes=nodes,
            wanted=dict(self._wanted),
            tried={number: now - when for number, when in self._tried.items()},
            running_s={key: now - since for key, (_, _, since) in self._running.items()},
        )

    def _act(self) -> None:
        goal = Goal(
            revision=self._desired.revision,
            make=self._make,
            shards=self._desired.shards,
            home=self._home,
            age_s=time.monotonic() - self._began,
        )
        actions, notes = decide(goal, self._seen)
        for action in actions:
            self._do(action)
        self._notes = notes + [self._waiting(one) for one in self._seen.placed if _waits(one)]

    def _do(self, action: Action) -> None:
        match action:
            case Create(number, generation, node):
                log.info("shard %d: instance %d is started", number, generation)
                self._tried[number] = time.monotonic()
                self._meant[number, generation] = node
                try:
                    fleet.start_shard(Shard, (number, generation), self._desired.config.cluster, node)
                except ValueError:  # another coordinator was quicker
                    log.info("shard %d: instance %d is there already", number, generation)
            case Tell(number, generation, stations):
                fleet.shard((number, generation)).follow.remote(self._share(stations))
            case Restart(number, generation):
                log.warning("shard %d: instance %d hangs, and is started again", number, generation)
                self._polled.silent_s[number, generation] = 0.0
                fleet.restart((number, generation))
            case Retire(number, generation):
                log.info("shard %d: instance %d is ended", number, generation)
                self._ending.add((number, generation))
                fleet.later("retire", fleet.end_shards, [(number, generation)])

    def _nodes(self) -> tuple[NodeState, ...]:
        return fleet.nodes(self._desired.config.cluster, self._desired.drained)

    def _share(self, ids: frozenset[str]) -> bytes:
        stations = tuple(self._stations[id] for id in sorted(ids))
        config = msgspec.msgpack.encode(engine_config(self._desired.config, stations))
        return msgspec.msgpack.encode(Share(self._desired.revision, self._make, config))

    def _waiting(self, one: Placed) -> str:
        cluster = self._desired.config.cluster
        needs = f"{cluster.cpus:g} CPU" + (
            f" and {cluster.per_shard} of '{cluster.resource}'" if cluster.resource else ""
        )
        why = one.trouble or f"no answer for {one.silent_s:.0f} s; it needs a node with {needs} free"
        return f"shard {one.number}: {why}"


def _waits(one: Placed) -> bool:
    return one.silent_s > WAITS_S or one.trouble is not None
