"""A short run of the fuzzing over each target, and what the campaign itself promises."""

from pathlib import Path

import pytest

from tests.fuzz.campaign import Job, run
from tests.fuzz.mutate import make_input
from tests.fuzz.streams import STREAMS
from tests.fuzz.targets import PARSERS, TARGETS, Target, check


@pytest.mark.slow
@pytest.mark.parametrize(("names", "count"), [(PARSERS, 1500), (STREAMS, 150)], ids=["parsers", "streams"])
def test_no_input_of_a_short_run_does_harm(names: dict[str, object], count: int, tmp_path: Path) -> None:
    result = list(run([Job(name, 0, count) for name in names], tmp_path / "findings"))[-1]

    found = [path.read_text()[:2000] for path in (tmp_path / "findings").iterdir()]
    assert not found, "\n\n".join(found)
    assert dict(result.inputs) == dict.fromkeys(names, count)


@pytest.mark.parametrize("name", [*PARSERS, *STREAMS])
def test_the_seeds_are_taken(name: str) -> None:
    target = TARGETS[name]

    accepted = 0
    for seed in target.seeds():
        try:
            target.run(seed)
            accepted += 1
        except target.allowed:
            pass
    assert accepted


def test_an_input_is_the_same_whenever_it_is_made() -> None:
    seeds = PARSERS["hls"].seeds()

    assert make_input("hls", seeds, 7) == make_input("hls", seeds, 7)
    assert make_input("hls", seeds, 7) != make_input("hls", seeds, 8)


def test_what_may_not_be_raised_is_found() -> None:
    def fails(data: bytes) -> None:
        raise KeyError(len(data))

    assert isinstance(check(Target(lambda: [b"x"], fails, (ValueError,)), b"x"), KeyError)
    assert check(Target(lambda: [b"x"], fails, (LookupError,)), b"x") is None


@pytest.mark.slow
def test_a_crash_is_noted_by_its_input_and_the_next_ones_have_their_turn(tmp_path: Path) -> None:
    result = list(run([Job("live", 0, 5), Job("crash", 7, 9), Job("hls", 0, 5)], tmp_path))[-1]

    assert result.findings == ["crash-7-crash.txt", "crash-8-crash.txt"]
    assert dict(result.crashes) == {"crash": 2}
    assert dict(result.inputs) == {"live": 5, "crash": 2, "hls": 5}
