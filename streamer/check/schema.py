"""The JSON Schema of the configuration, for editors: `python -m streamer.check.schema` writes it anew.

Types and ranges are those of the structures, descriptions those of their docstrings.
"""

import inspect
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import msgspec

from streamer.config import Config

_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def schema() -> dict[str, Any]:
    """Give the schema that the structures of `streamer.config` make."""
    made: dict[str, Any] = msgspec.json.schema(Config)
    for structure in _structures(Config):
        about = made["$defs"][structure.__name__]
        names = {field.name: field.encode_name for field in msgspec.structs.fields(structure)}
        for base in reversed(structure.__mro__[: structure.__mro__.index(msgspec.Struct)]):
            text, _, attributes = inspect.cleandoc(base.__doc__ or "").partition("\n\nAttributes:\n")
            about["description"] = " ".join(text.split())
            for name, words in _ATTRIBUTE.findall(attributes):
                about["properties"][names[name]]["description"] = " ".join(words.split())
    whole = made["$defs"].pop(Config.__name__)
    whole |= {"title": "genrecast", "$defs": made["$defs"]}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **_without_null(whole)}


def rendered() -> str:
    """Give the schema as text."""
    return json.dumps(schema(), indent=2) + "\n"


def shipped() -> str:
    """Give the schema as it is in the package."""
    return files("streamer").joinpath("schema/config.json").read_text(encoding="utf-8")


def _structures(annotation: Any) -> set[type[msgspec.Struct]]:
    """Give all structures that an annotation leads to."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        found = {annotation}
        for field in msgspec.structs.fields(annotation):
            found |= _structures(field.type)
        return found
    return {structure for inner in get_args(annotation) for structure in _structures(inner)}


def _without_null(value: Any) -> Any:
    """Take the nulls out: TOML has none."""
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {name: _without_null(inner) for name, inner in value.items()}
    choices = value.get("anyOf", [])
    if {"type": "null"} in choices:
        others = [choice for choice in choices if choice != {"type": "null"}]
        value.pop("default", None)
        rest = {name: inner for name, inner in value.items() if name != "anyOf"}
        value = {**others[0], **rest} if len(others) == 1 else {**rest, "anyOf": others}
    return value


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("schema", "config.json").write_text(rendered(), encoding="utf-8")
