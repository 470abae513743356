from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.cluster.hashing import homes

IDS = [f"station-{number}" for number in range(2000)]
ids = st.lists(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True), unique=True, max_size=50)


@given(ids, st.integers(1, 40))
@settings(deadline=None)
def test_one_more_shard_takes_stations_and_moves_no_other(ids: list[str], shards: int) -> None:
    before, after = homes(ids, shards), homes(ids, shards + 1)
    assert all(after[id] in (before[id], shards) for id in ids)


@given(ids, st.integers(1, 40), st.randoms())
@settings(deadline=None)
def test_a_home_depends_on_nothing_but_the_station_and_the_number_of_shards(
    ids: list[str], shards: int, chance: object
) -> None:
    whole = homes(ids, shards)
    chance.shuffle(ids)  # type: ignore[attr-defined]
    assert homes(ids, shards) == whole
    assert all(homes([id], shards)[id] == home for id, home in whole.items())


def test_shards_are_about_as_large_as_each_other() -> None:
    sizes = Counter(homes(IDS, 16).values())
    assert len(sizes) == 16
    assert all(85 < size < 170 for size in sizes.values()), sizes  # 125, and 11 of standard deviation


def test_a_new_shard_takes_its_part() -> None:
    before, after = homes(IDS, 16), homes(IDS, 17)
    moved = sum(before[id] != after[id] for id in IDS)
    assert 80 < moved < 160  # 2000 / 17 are 118


def test_homes_are_the_same_in_every_version() -> None:
    assert homes(["kexp", "fip", "radio-3"], 8) == {"kexp": 5, "fip": 7, "radio-3": 5}
