"""The largest number that holds is found, and what was found is told to people."""

import pytest

from bench.streams import search
from bench.table import BEGIN, END, table, write


@pytest.mark.parametrize("largest", [1, 7, 49, 50, 51, 333, 1000])
def test_largest_number_that_holds_is_found(largest: int) -> None:
    found = search(lambda number: number <= largest, 50, 0.05)

    assert 0.95 * largest - 1 <= found <= largest


def test_nothing_holds() -> None:
    assert search(lambda number: False, 50, 0.05) == 0


def test_search_ends_where_time_does() -> None:
    answers = iter([True, True, None])

    assert search(lambda number: next(answers), 50, 0.05) == 100


def test_table_stands_between_the_markers(tmp_path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    figures = {"bench": "overlap", "hops_s": [1.0, 0.25], "cpu_ms_per_station_second": [2.0, 2.4]}

    write(readme, table([figures | {"ratio_025_to_1": 1.2}, {"bench": "unknown"}]))

    text = readme.read_text()
    assert text.startswith(f"before\n{BEGIN}\n| what | figure |\n")
    assert "2.00 ms at 1 s, 2.40 ms at 0.25 s (1.20 times from 1 to 0.25)" in text
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text


def test_file_without_markers_is_left_alone(tmp_path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("nothing\n")

    with pytest.raises(ValueError, match="has no lines"):
        write(readme, "table")
    assert readme.read_text() == "nothing\n"
