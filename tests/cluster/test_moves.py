from collections import Counter
from dataclasses import replace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.cluster.plan import AT_ONCE, HUNG_S, Restart, balance, decide
from streamer.cluster.state import NodeState
from tests.cluster.world import BROKEN, World

STATIONS = [f"s{number}" for number in range(60)]
LONG = 400  # ticks in which everything must have settled

changes = st.one_of(
    st.tuples(st.just("stations"), st.integers(1, 60), st.integers(1, 8)),
    st.tuples(st.just("make"), st.sampled_from("ab"), st.just(0)),
    st.tuples(st.just("drain"), st.sampled_from("xyz"), st.just(0)),
    st.tuples(st.just("balance"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.integers(1, 12), st.just(0)),
)
worlds = st.builds(
    World,
    st.fixed_dictionaries(dict.fromkeys("xyz", st.integers(10, 16))),
    begin_ticks=st.integers(1, 5),
    hear_ticks=st.integers(1, 5),
)


def settle(world: World, ticks: int = LONG) -> None:
    for _ in range(ticks):
        if world.settled():
            return
        world.step()
    raise AssertionError((world.notes, world.instances))


def change(world: World, what: str, a: object, b: int, make: str = "m") -> None:
    match what:
        case "stations":
            world.want(STATIONS[: int(str(a))], b, world.make)
        case "make":
            world.want(list(world.home), world.shards, str(a))
        case "drain":
            world.drain(str(a))
            world.wanted = {}
        case "balance":
            world.wanted = balance(world.seen())


@given(worlds, st.lists(changes, max_size=8))
@settings(deadline=None)
def test_whatever_is_asked_for_settles_and_no_station_is_silent_meanwhile(
    world: World, asked: list[tuple[str, object, int]]
) -> None:
    world.want(STATIONS, 5)
    settle(world)
    for what, a, b in asked:
        change(world, what, a, b)
        for _ in range(int(str(a)) if what == "wait" else 1):
            heard = world.heard()
            world.step()
            assert heard & world.home.keys() <= world.heard()
    for _ in range(LONG):
        if world.settled():
            break
        heard = world.heard()
        world.step()
        assert heard & world.home.keys() <= world.heard()
    assert world.settled(), (world.notes, world.instances)


@given(worlds, st.lists(st.one_of(changes, st.tuples(st.just("lose"), st.sampled_from("xyz"), st.just(0)))))
@settings(deadline=None)
def test_lost_nodes_end_in_the_same_order_of_things(
    world: World, asked: list[tuple[str, object, int]]
) -> None:
    world.want(STATIONS, 5)
    for what, a, b in asked:
        if what == "lose":
            world.lose(str(a))
        change(world, what, a, b)
        world.step()
    settle(world)


@given(worlds, st.sampled_from("xyz"))
@settings(deadline=None)
def test_a_lost_node_moves_nothing_but_what_was_there(world: World, lost: str) -> None:
    world.want(STATIONS, 6)
    settle(world)
    elsewhere = {key: one for key, one in world.instances.items() if one.node != lost}
    world.lose(lost, for_good=True)
    settle(world)
    assert all(world.instances[key] is one for key, one in elsewhere.items())


def test_only_a_few_shards_move_at_a_time() -> None:
    world = World({"x": 20, "y": 20}, begin_ticks=3, hear_ticks=2)
    world.want(STATIONS, 12)
    settle(world)
    world.want(STATIONS, 12, "another")
    most = 0
    for _ in range(LONG):
        world.step()
        most = max(most, sum(count > 1 for count in Counter(n for n, _ in world.instances).values()))
    assert world.settled()
    assert most == AT_ONCE


def test_engines_that_can_t_run_replace_none_that_can() -> None:
    world = World({"x": 20, "y": 20}, begin_ticks=1, hear_ticks=1)
    world.want(STATIONS, 5)
    settle(world)
    world.want(STATIONS, 5, BROKEN)
    for _ in range(LONG):
        world.step()
    assert world.heard() == set(STATIONS)
    world.want(STATIONS, 5, "good again")
    settle(world)


def test_a_successor_that_waits_for_room_is_called_off_when_nothing_has_to_move_any_more() -> None:
    world = World({"x": 20, "y": 20}, begin_ticks=LONG, hear_ticks=1)
    world.want(STATIONS, 4)
    for _ in range(LONG + 2):
        world.step()
    world.drain("x")
    world.step()
    assert len(world.instances) > 4
    world.drain("")
    world.step()
    world.step()
    assert world.settled()


@given(st.integers(8, 40), st.integers(8, 40), st.integers(1, 8))
@settings(deadline=None)
def test_engines_that_are_made_anew_leave_nodes_as_evenly_full_as_they_were(x: int, y: int, n: int) -> None:
    world = World({"x": x, "y": y}, begin_ticks=2, hear_ticks=1)
    world.want(STATIONS, n)
    settle(world)
    world.wanted = balance(world.seen())
    settle(world)
    world.wanted = {}
    world.want(STATIONS, n, "another")
    settle(world)
    assert balance(world.seen()) == {}


def test_without_room_nothing_moves_and_that_is_told() -> None:
    world = World({"x": 3, "y": 2}, begin_ticks=1, hear_ticks=1)
    world.want(STATIONS, 5)
    settle(world)
    world.drain("x")
    for _ in range(30):
        world.step()
    assert world.heard() == set(STATIONS)
    assert len(world.instances) == 5
    assert any("no other node has room" in note for note in world.notes)


@given(worlds, st.integers(1, 12), st.data())
@settings(deadline=None)
def test_balance_leaves_nodes_as_full_as_each_other(world: World, shards: int, data: st.DataObject) -> None:
    world.want(STATIONS, shards)
    world.slots |= {"new": 12}
    settle(world)
    world.wanted = balance(world.seen())
    settle(world)
    full = Counter(one.node for one in world.instances.values())
    nodes = [NodeState(id=id, address=id, slots=slots) for id, slots in world.slots.items()]
    most = max(full[node.id] / node.slots for node in nodes)
    assert most <= min((full[node.id] + 1) / node.slots for node in nodes)
    assert balance(world.seen()) == {}


@given(worlds, st.floats(0, 200))
@settings(deadline=None)
def test_an_instance_that_hangs_is_started_again(world: World, silent_s: float) -> None:
    world.want(STATIONS, 3)
    settle(world)
    seen = world.seen()
    hung, *others = seen.placed
    seen = replace(seen, placed=(msgspec.structs.replace(hung, silent_s=silent_s), *others))
    restarts = [action for action in decide(world.goal(), seen)[0] if isinstance(action, Restart)]
    assert restarts == ([Restart(*hung.key)] if silent_s > HUNG_S else [])
