"""More than the machine can do: hops become longer, and as they were when there is time again."""

import pytest

from streamer.engine.load import LONGEST_HOP_S, Load


def play(load: Load, cost_per_hop: float, fixed: float, seconds: int, start: float = 0.0) -> list[float]:
    """Look at a worker whose work is `fixed` and something for each window; give the factors."""
    late_s, factors = 0.0, []
    for second in range(seconds):
        needed = fixed + cost_per_hop / load.factor
        late_s = max(0.0, late_s + needed - 1.0)
        factors.append(load.look(busy=min(needed, 1.0), late_ms=late_s * 1e3, now=start + second))
    return factors


def test_a_machine_that_keeps_up_is_left_alone():
    assert set(play(Load(1.0), 0.5, 0.4, 60)) == {1.0}


def test_hops_grow_until_the_machine_keeps_up_and_shrink_when_it_is_free():
    load = Load(1.0)

    overloaded = play(load, 3.0, 0.2, 30)
    free = play(load, 0.3, 0.2, 12, start=30.0)

    assert max(overloaded[:10]) >= 3.0 / 0.8
    assert free[9] == 1.0


def test_hops_have_an_end():
    assert max(play(Load(1.0), 0.0, 5.0, 60)) == LONGEST_HOP_S
    assert max(play(Load(60.0), 0.0, 5.0, 60)) == 1.0


def test_a_backlog_that_shrinks_is_no_reason_to_grow():
    load = Load(1.0)
    load.look(busy=1.0, late_ms=4_000.0, now=0.0)

    for second, late_ms in enumerate([3_000.0, 2_000.0, 1_000.0], 1):
        load.look(busy=1.0, late_ms=late_ms, now=float(second))

    assert load.factor == pytest.approx(1.5)
