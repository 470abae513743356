"""The report can be opened anywhere and trusts nothing that a set says."""

import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.training.made_up import LABELS, answers_of
from training.beside import tables_of
from training.figures import figures_of
from training.report import write_report

pytestmark = [pytest.mark.training, pytest.mark.slow]


class Page(HTMLParser):
    """Collects what a browser would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.without_alt = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.links += [str(found[key]) for key in ("src", "href", "srcset", "data") if key in found]
        self.without_alt += tag == "img" and not found.get("alt")


def made_up_figures() -> dict[str, Any]:
    """Give what an evaluation with everything asked for would hold, on a set of hostile names."""
    figures = figures_of([answers_of(fold=k) for k in (0, 1)])
    labels = {label: {"clips": 8, "groups": 4, "hours": 0.01} for label in LABELS}
    condition = {
        "name": "MP3 <32> kb/s",
        "clips": 24,
        "groups": 12,
        "accuracy": 0.5,
        "clean_accuracy": 0.6,
        "difference": {"value": -0.1, "low": -0.2, "high": 0.0},
        "unsure": 0.1,
        "not_music_accuracy": None,
    }
    return msgspec.json.decode(
        msgspec.json.encode(
            figures
            | {
                "command": "python -m training evaluate '<img src=http://evil.example/x>'",
                "evaluated_at_commit": "unknown",
                "hop_s": 0.5,
                "data": {
                    "clips": 40,
                    "groups": 20,
                    "hours": 0.05,
                    "labels": labels,
                    "licences": {"<b>CC0": 40},
                },
                "leaky_figures": figures_of([answers_of(fold=k, split="leaky-folds") for k in (0, 1)]),
                "robustness": {
                    "clips": 40,
                    "clips_per_label": 8,
                    "seed": 1,
                    "without_speech_over": 24,
                    "conditions": [condition | {"name": "clean"}, condition],
                },
                "unseen": [{"genre": LABELS[0], "clips": 0, "left_out": 8}],
                "baselines": {
                    "models": {"<script>forest": {"accuracy": 0.5}, "svm": {"accuracy": {"value": 0.6}}}
                },
                "tune": {"recipe": "<i>", "rows": [{"a": 1, "b": [0.5] * 20}, {"a": 2}]},
            }
        )
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    write_report(made_up_figures(), out)
    return out


def test_page_fetches_nothing_and_runs_nothing(folder: Path) -> None:
    text = (folder / "report.html").read_text()
    page = Page()
    page.feed(text)

    assert [link for link in page.links if not link.startswith(("data:image/svg+xml;base64,", "#"))] == []
    assert not {"script", "link", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    assert not re.search(r"url\(|@import", text)
    assert page.tags.count("img") >= 6
    assert page.without_alt == 0


def test_hostile_names_are_text(folder: Path) -> None:
    text = (folder / "report.html").read_text()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script" not in text
    assert "<b>CC0" not in text
    assert "<i>" not in text


def test_summary_keeps_its_columns_whatever_a_label_holds(folder: Path) -> None:
    lines = (folder / "summary.md").read_text().splitlines()
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]

    assert any("\\$x" in line or "$x" in line for line in lines)
    for before, after in pairwise(bars):
        assert not (before and after) or before == after
    assert "<script" not in "\n".join(lines).replace("\\<script", "")


def test_leaky_report_says_so_at_the_top(tmp_path: Path) -> None:
    figures = made_up_figures()
    del figures["leaky_figures"]
    leaky = msgspec.json.encode(figures_of([answers_of(fold=k, split="leaky-folds") for k in (0, 1)]))

    write_report(figures | msgspec.json.decode(leaky), tmp_path)

    text = (tmp_path / "report.html").read_text()
    assert text.index('class="leaky"') < text.index("<dl>")


def test_same_figures_make_the_same_page(folder: Path, tmp_path: Path) -> None:
    write_report(made_up_figures(), tmp_path)

    assert (tmp_path / "report.html").read_bytes() == (folder / "report.html").read_bytes()


def test_tables_of_a_file_hold_all_its_values() -> None:
    found = tables_of(
        "x", {"a": 1, "deep": {"one": {"p": 0.5}, "two": {"p": 0.25}}, "list": [{"k": 3}, {"k": 4}]}
    )

    assert [table.caption for table in found] == ["x", "x: deep", "x: list"]
    assert found[1].rows == [["one", "0.500"], ["two", "0.250"]]
    assert found[2].rows == [["3"], ["4"]]
