from pathlib import Path

import pytest

from tests.system.cluster import troubles
from tests.system.conftest import need

STATIONS = 24
HOP = 1.0


@pytest.mark.system
@pytest.mark.slow
@pytest.mark.timeout(400)
def test_stations_outlive_their_node_and_their_head_and_move_without_a_gap(tmp_path: Path) -> None:
    need("redis-server")
    seen = troubles(tmp_path, STATIONS, per_shard=4, hop=HOP, quiet_s=2.0)
    head, drained = seen["head_killed"], seen["drained"]
    for killed in (seen["actors_killed"], seen["node_killed"]):
        assert killed["stations_there"] > 0, seen
        assert killed["all_back_s"] < 60, seen  # 20 on a machine that has nothing else to do
        assert killed["others_moved"] == 0, seen
        # None on a quiet machine; what a busy one can't do is told.
        assert killed["windows_missed_by_others"] <= killed["told_as_dropped"], seen
    assert seen["actors_killed"]["follows_again"], seen
    assert head["windows_missed"] <= head["told_as_dropped"], seen
    assert head["stations_heard_by_one_engine"] == STATIONS, seen
    assert head["follows_again"], seen
    assert seen["gateway_killed"]["all_states_s"] < 10, (
        seen
    )  # within a hop of its start where nothing else runs
    assert not seen["gateway_killed"]["lost_told"], seen
    assert drained["rebalanced"], seen
    assert drained["stations_there"] > 0, seen
    assert drained["drained"], seen
    assert drained["longest_silence_s"] <= HOP, seen
    assert drained["told_as_lost"] == 0, seen
    assert [
        "doesn't hear 6 shard(s): it doesn't allow the key" in note for note in seen["key_refused"]["told"]
    ] == [True], seen
    assert seen["key_refused"]["all_back_s"] < 30, seen
    assert seen["twice_or_out_of_order"] == 0, seen
    assert seen["stopped_at_the_end"] == STATIONS, seen
