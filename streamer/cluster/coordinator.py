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
from streamer.cluster.hashing import homes, owned
from streamer.cluster.plan import Action, Create, Goal, Restart, Retire, Seen, Tell, balance, decide
from streamer.cluster.shard import Shard
from streamer.cluster.state import ClusterState, NodeState, Placed, Share
from streamer.cluster.view import WAITS_S, notes_on
from streamer.on_ray import reason

log = logging.getLogger(__name__)

LOOK_S = 1.0
FIRST_LOOK_S = 10.0  # for those who are there to tell how they are


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
        self._own = owned(homes(self._stations, self._desired.shards))
        self._began = time.monotonic()
        self._polled = fleet.Polled()
        self._wanted: dict[int, str] = {}
        self._tried: dict[int, float] = {}
        self._meant: dict[Key, str | None] = {}
        self._ending: set[Key] = set()
        self._notes: list[str] = []
        self._looked = threading.Event()
        self._lock = threading.Lock()  # on what is wanted, which commands change too
        self._seen = Seen(placed=(), nodes=(), wanted={}, tried={})
        threading.Thread(target=self._run, daemon=True).start()

    def desired(self) -> list[bytes]:
        """Give what it was made with: the desired state, packed."""
        return self._pieces

    def share(self, number: int) -> bytes:
        """Give what an instance of a shard is told that has just begun; see `Share`."""
        return self._share(self._own.get(number, frozenset()))

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
                notes=tuple(sorted(set(self._notes))),
            )
        )

    def _run(self) -> None:
        while True:
            began = time.monotonic()
            try:
                # A newer one ends us as soon as it has begun; until then we wait, for it may never begin.
                if fleet.coordinators()[-1] <= self._desired.revision:
                    self._bring()
            except RayError as error:  # the head is away: shards go on, and so do we, later
                log.warning("Ray gives no answer: %s", reason(error))
            except Exception:
                log.exception("the coordinator met what was not foreseen")
            time.sleep(max(0.0, LOOK_S - (time.monotonic() - began)))

    def _bring(self) -> None:
        """Bring what is a step nearer to what shall be."""
        fleet.end_coordinators(before=self._desired.revision)
        self._look()
        self._act()
        if all(one.state or one.silent_s > WAITS_S for one in self._seen.placed):
            self._looked.set()

    def _look(self) -> None:
        self._polled.look()
        now, states, nodes = time.monotonic(), self._polled.states, self._nodes()
        self._meant = {key: node for key, node in self._meant.items() if key in states}
        self._ending &= states.keys()
        alive = {node.id for node in nodes if not node.drained}
        there = {(number, state.node) for (number, _), state in states.items() if state is not None}
        with self._lock:
            wanted = self._wanted.items()
            self._wanted = {n: node for n, node in wanted if node in alive and (n, node) not in there}
        self._seen = Seen(
            placed=tuple(self._placed(key) for key in sorted(states.keys() - self._ending)),
            nodes=nodes,
            wanted=dict(self._wanted),
            tried={number: now - when for number, when in self._tried.items()},
        )

    def _placed(self, key: Key) -> Placed:
        state = self._polled.states[key]
        return Placed(
            number=key[0],
            generation=key[1],
            state=state,
            silent_s=self._polled.silent_s[key],
            node=self._meant.get(key) if state is None else state.node,
        )

    def _act(self) -> None:
        goal = Goal(
            revision=self._desired.revision,
            make=self._make,
            shards=self._desired.shards,
            own=self._own,
            stations=self._stations.keys(),
            age_s=time.monotonic() - self._began,
        )
        actions, notes = decide(goal, self._seen)
        for action in actions:
            self._do(action)
        self._notes = notes + notes_on(
            self._seen, self._desired.shards, self._polled.troubles, self._desired.config.cluster
        )

    def _do(self, action: Action) -> None:
        key = action.number, action.generation
        match action:
            case Create(number, generation, node):
                log.info("shard %d: instance %d is started", number, generation)
                self._tried[number], self._meant[key] = time.monotonic(), node
                fleet.start_shard(Shard, key, self._desired.config.cluster, node)
            case Tell(_, _, stations):
                fleet.tell(key, self._share(stations))
            case Restart(number, generation):
                log.warning("shard %d: instance %d hangs, and is started again", number, generation)
                self._polled.doubt(key)
                fleet.restart(key)
            case Retire(number, generation):
                log.info("shard %d: instance %d is ended", number, generation)
                self._ending.add(key)
                threading.Thread(target=self._retire, args=(key,), daemon=True).start()

    def _retire(self, key: Key) -> None:
        """End an instance; where that fails it is seen again, and is ended again."""
        try:
            fleet.end_shards([key], removed=True)
        except RayError as error:
            log.warning("shard %d: instance %d is not ended: %s", *key, reason(error))
        finally:
            self._ending.discard(key)

    def _nodes(self) -> tuple[NodeState, ...]:
        return fleet.nodes(self._desired.config.cluster, self._desired.drained)

    def _share(self, ids: frozenset[str]) -> bytes:
        stations = tuple(self._stations[id] for id in sorted(ids))
        config = msgspec.msgpack.encode(engine_config(self._desired.config, stations))
        return msgspec.msgpack.encode(Share(self._desired.revision, self._make, config))
