"""The report of an evaluation: one HTML page that needs nothing else, and the same tables in Markdown.

Labels, ids and paths come from whoever made the set: jinja2 escapes every value in the page, and
pictures are images, inside which nothing can act.
"""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from streamer.whole import write_whole
from training.plots import as_image
from training.sections import facts_of, sections_of
from training.tables import Table


def write_report(figures: dict[str, Any], out: Path) -> None:
    """Write `report.html` and `summary.md` into a folder, from what `evaluation.json` holds."""
    sections, facts = sections_of(figures), facts_of(figures)
    loader = FileSystemLoader(Path(__file__).parent)
    pages = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    pages.filters["image"] = as_image
    page = pages.get_template("report.html.j2").render(
        title=f"{figures['recipe']}: evaluation", figures=figures, facts=facts, sections=sections
    )
    write_whole(out / "report.html", page.encode())
    parts = [
        f"# {_plain(figures['recipe'])}: evaluation",
        _table(Table("", ["", ""], [list(f) for f in facts])),
    ]
    for section in sections:
        parts += [f"## {section.title}", _plain(section.text)]
        for table in section.tables:
            parts += [f"{_plain(table.caption.removesuffix('.'))}:", _table(table)]
    summary = "\n\n".join(part for part in parts if part) + "\n"
    write_whole(out / "summary.md", summary.encode())


def _table(table: Table) -> str:
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Give text that Markdown shows as it is."""
    text = " ".join(text.split())
    for special in ("\\", "|", "`", "*", "_", "[", "<"):
        text = text.replace(special, f"\\{special}")
    return text
