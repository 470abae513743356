"""The settings of a sweep: a recipe with some of its values changed, in every combination.

A value is named as it stands in the recipe's file: `fit.rate=0.01,0.02` makes two settings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import msgspec

from training.errors import RecipeError
from training.recipe import Recipe, check

TABLES = ("net", "fit", "augment", "distil")
"""The tables that make other weights from the same prepared set."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A recipe with these values by their dotted keys; none where it is the recipe as it is."""

    values: dict[str, Any]
    recipe: Recipe

    @property
    def name(self) -> str:
        """Its values in words, which also name its folder; empty where there are none."""
        return ",".join(f"{key}={value}".lower() for key, value in sorted(self.values.items()))


def settings_of(recipe: Recipe, sweep: Sequence[str]) -> list[Setting]:
    """Give every combination of the values.

    Args:
        recipe: what is changed.
        sweep: each `KEY=VALUE,VALUE,...`.

    Raises:
        RecipeError: a key is unknown or there twice, or a value is of the wrong type or out of range.
    """
    tried: dict[str, list[Any]] = {}
    for words in sweep:
        key, _, values = words.partition("=")
        if key in tried:
            raise _wrong(
                f"'{key}' is there twice", "give all of its values at once, with commas between them"
            )
        tried[key] = [_value(recipe, key, text) for text in values.split(",")]
        if len(set(tried[key])) < len(tried[key]):
            raise _wrong(f"'{words}' has a value twice", "give each once")
    return [_setting(recipe, dict(zip(tried, values, strict=True))) for values in product(*tried.values())]


def _value(recipe: Recipe, key: str, text: str) -> Any:
    """Read one value as its place in the recipe has it."""
    table, _, name = key.partition(".")
    if table not in TABLES:
        raise _wrong(f"'{key}' can't be tried", f"name it as TABLE.KEY, of {', '.join(TABLES)}")
    held = getattr(recipe, table)
    if held is None:
        raise _wrong(f"'{key}': recipe '{recipe.name}' has no [{table}] table", "give a recipe that has one")
    kinds = {field.name: field.type for field in msgspec.structs.fields(held)}
    if name not in kinds:
        raise _wrong(f"'{key}' is unknown", f"[{table}] knows {', '.join(kinds)}")
    try:
        return msgspec.convert(text, kinds[name], strict=False)
    except msgspec.ValidationError as error:
        raise _wrong(
            f"'{key}' can't be '{text}': {error}", "see training/recipe.py for its meaning"
        ) from error


def _setting(recipe: Recipe, values: dict[str, Any]) -> Setting:
    changed = recipe
    for key, value in values.items():
        table, _, name = key.partition(".")
        held = msgspec.structs.replace(getattr(changed, table), **{name: value})
        changed = msgspec.structs.replace(changed, **{table: held})
    setting = Setting(values, changed)
    check(changed, f"recipe '{recipe.name}' with {setting.name}")
    return setting


def _wrong(message: str, remedy: str) -> RecipeError:
    return RecipeError(f"--sweep: {message}", remedy=remedy)
