import pytest

from streamer.cluster.plan import Seen
from streamer.cluster.state import ClusterState, NodeState, Placed, ShardState
from streamer.cluster.view import is_complete, is_empty, notes_on, summary, table
from streamer.sections import ClusterConfig

NODES = (NodeState(id="aaa", address="10.0.0.1", slots=8), NodeState(id="bbb", address="10.0.0.2", slots=8))


def placed(number: int, *stations: str, node: str = "aaa", silent_s: float = 0.1, **more: object) -> Placed:
    state = ShardState(node=node, pid=1, revision=3, stations=stations, version="1", **more)  # type: ignore[arg-type]
    return Placed(number=number, generation=0, state=state, silent_s=silent_s, node=node)


def cluster(*of: Placed, **more: object) -> ClusterState:
    return ClusterState(revision=3, stations=3, shards=2, nodes=NODES, placed=of, **more)  # type: ignore[arg-type]


GOOD = (placed(0, "a", "b", unheard=("b",)), placed(1, "c", node="bbb"))


def test_all_in_its_place_is_complete() -> None:
    assert is_complete(cluster(*GOOD))
    assert summary(cluster(*GOOD)) == (
        "3 of 3 stations are listened to, 2 are heard; 2 of 2 shards, on 2 nodes"
    )


@pytest.mark.parametrize(
    "state",
    [
        cluster(),
        cluster(GOOD[0]),
        cluster(*GOOD, placed(1, "c")),
        cluster(*GOOD, moving=1),
        cluster(*GOOD, notes=("shard 1: its engine can't run",)),
        cluster(GOOD[0], placed(1, "c", silent_s=30.0)),
        cluster(GOOD[0], Placed(number=1, generation=0, state=None, silent_s=0.0)),
    ],
)
def test_whatever_is_missing_or_moves_or_stands_in_the_way_is_not(state: ClusterState) -> None:
    assert not is_complete(state)


def test_what_was_said_long_ago_is_not_taken_for_true() -> None:
    state = cluster(GOOD[0], placed(1, "c", silent_s=30.0))
    assert summary(state).startswith("2 of 3 stations are listened to, 1 are heard; 1 of 2 shards")


def test_an_engine_that_can_t_run_listens_to_nothing_and_says_why() -> None:
    broken = placed(1, "c", failure="no such file (model-file)")
    assert summary(cluster(GOOD[0], broken)).startswith("2 of 3 stations")
    seen = Seen(placed=(GOOD[0], broken), nodes=NODES, wanted={}, tried={})
    assert notes_on(seen, 2, {}, ClusterConfig()) == [
        "shard 1: its engine can't run: no such file (model-file)"
    ]


def test_what_stands_in_the_way_is_told() -> None:
    waiting = Placed(number=1, generation=0, state=None, silent_s=9.0)
    seen = Seen(
        placed=(placed(0, "a", deaf={"tcp://g:1": "it is not there"}), waiting),
        nodes=NODES,
        wanted={},
        tried={},
    )
    assert notes_on(seen, 3, {2: "No module named 'streamer'"}, ClusterConfig()) == [
        "shard 2: not there: No module named 'streamer'",
        "shard 1: no answer: it needs a node with 0.5 CPU and 125 of 'station' free",
        "gateway tcp://g:1 doesn't hear 1 shard(s): it is not there",
    ]


def test_shards_without_room_are_told_together() -> None:
    waiting = [Placed(number=number, generation=0, state=None, silent_s=9.0) for number in range(95)]
    seen = Seen(placed=tuple(waiting), nodes=NODES, wanted={}, tried={})
    assert notes_on(seen, 95, {}, ClusterConfig()) == [
        "shards 0, 1, 2 and 92 more: no answer: it needs a node with 0.5 CPU and 125 of 'station' free"
    ]


def test_a_drained_node_is_empty_when_nothing_is_on_it_any_more() -> None:
    drained = (NodeState(id="aaa", address="10.0.0.1", slots=8, drained=True), NODES[1])
    state = ClusterState(revision=3, stations=3, shards=2, nodes=drained, placed=GOOD)
    assert not is_empty(state, "aaa")
    elsewhere = (placed(0, "a", "b", node="bbb"), GOOD[1])
    assert is_empty(ClusterState(revision=3, stations=3, shards=2, nodes=drained, placed=elsewhere), "aaa")
    assert not is_empty(cluster(*elsewhere), "aaa")  # it may get some again


def test_the_table_has_a_line_a_node_and_what_stands_in_the_way() -> None:
    text = table(cluster(*GOOD, notes=("shard 1: trouble",)))
    assert "10.0.0.1 aaa               1/8          2      1" in text
    assert text.endswith("\nshard 1: trouble")
