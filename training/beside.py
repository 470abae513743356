"""What other commands found, as tables: baselines on the same folds, and programmes. Read leniently."""

from collections.abc import Sequence
from typing import Any

from training.tables import Table, interval, number


def models(figures: dict[str, Any]) -> tuple[Table, list[dict[str, Any]]]:
    """Give the table of other models with this one, and its rows as numbers; what a file lacks is a dash."""
    rows = [_model(f"this network ({figures['recipe']})", figures, own=True)]
    found = figures["baselines"].get("models", {})
    rows += [_model(name, model, own=False) for name, model in found.items() if isinstance(model, dict)]
    cells = [
        [
            row["name"],
            number(row["accuracy"]),
            interval(row) if row["low"] is not None else "-",
            *(number(row[key]) for key in ("balanced_accuracy", "macro_f1", "train_accuracy")),
        ]
        for row in rows
    ]
    caption = "Other models on the same folds"
    return Table(
        caption, ["", "clip accuracy", "95% over groups", "balanced", "macro-F1", "on training part"], cells
    ), rows


def _model(name: str, found: dict[str, Any], *, own: bool) -> dict[str, Any]:
    def value(key: str) -> float | None:
        figure = found.get(key)
        figure = figure.get("value") if isinstance(figure, dict) else figure
        return float(figure) if isinstance(figure, int | float) else None

    accuracy = found.get("accuracy")
    ends = accuracy if isinstance(accuracy, dict) else {}
    keys = ("accuracy", "balanced_accuracy", "macro_f1", "train_accuracy")
    return {"name": name, "own": own, "low": ends.get("low"), "high": ends.get("high")} | {
        k: value(k) for k in keys
    }


def tables_of(name: str, found: dict[str, Any] | list[Any]) -> list[Table]:
    """Give tables of whatever a JSON object holds: its single values together, rows by themselves."""
    if _are_rows(found):
        return [_rows(name, found)]
    nested = {k: v for k, v in found.items() if isinstance(v, dict) or _are_rows(v)}
    single = [[str(k), _cell(v)] for k, v in found.items() if k not in nested]
    tables = [Table(name, ["", "value"], single)] if single else []
    for key, value in nested.items():
        tables += tables_of(f"{name}: {key}", value)
    return tables


def _are_rows(found: Any) -> bool:
    """Say whether these are rows of one table: several structures that hold no more structures."""
    rows = list(found.values()) if isinstance(found, dict) else found
    if not isinstance(rows, list) or not rows:
        return False
    return all(isinstance(row, dict) and not any(isinstance(v, dict) for v in row.values()) for row in rows)


def _rows(name: str, found: dict[str, Any] | Sequence[dict[str, Any]]) -> Table:
    named = list(found.items()) if isinstance(found, dict) else [("", row) for row in found]
    columns = list(dict.fromkeys(key for _, row in named for key in row))
    rows = [[str(title), *(_cell(row.get(column)) for column in columns)] for title, row in named]
    if not isinstance(found, dict):
        rows = [row[1:] for row in rows]
        return Table(name, columns, rows)
    return Table(name, ["", *columns], rows)


def _cell(value: Any) -> str:
    """Give any value as text, short: a curve of a thousand points is no cell."""
    if isinstance(value, list):
        shown = ", ".join(_cell(v) for v in value[:8])
        return shown + (f", ... ({len(value)})" if len(value) > 8 else "")
    return number(value, 3)
