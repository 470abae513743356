"""Whether data has the types, ranges and patterns that the structures state; every fault, not the first.

msgspec says one at a time. This walks the annotations of any `msgspec.Struct` and has msgspec judge
each value by itself, so that a new section needs no code here.
"""

import difflib
import json
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from streamer.errors import Key, Problem
from streamer.text import is_secret, shown

MAX_SHOWN = 80  # characters of a value
_LISTS = (list, tuple, set, frozenset)


class Structure:
    """What is wrong with data, and what is left of it without that.

    Args:
        raw: as a parser gives it.
        type: a `msgspec.Struct`.

    Attributes:
        problems: in the order of the data.
        sound: the data without what is wrong; None where nothing of it can be used.
    """

    def __init__(self, raw: Any, type: type[msgspec.Struct]) -> None:
        self.problems: list[Problem] = []
        self._raw = raw
        self._kept: dict[Key, list[int]] = {}
        self.sound = self._struct(raw, type, ())

    def original(self, key: Key) -> Key:
        """Give where something stood in the data that stands under `key` in what is left."""
        found: Key = ()
        for part in key:
            found = (
                *found,
                self._kept[found][part] if isinstance(part, int) and found in self._kept else part,
            )
        return found

    def _struct(self, raw: Any, type: type[msgspec.Struct], key: Key) -> dict[str, Any] | None:
        if not isinstance(raw, dict):
            self._say(key, f"{self._named(key, raw)}: a table is expected", f"write it as [{dotted(key)}]")
            return None
        hints = get_type_hints(type, include_extras=True)
        fields = {field.encode_name: field for field in msgspec.structs.fields(type)}
        sound: dict[str, Any] | None = {}
        for name, value in raw.items():
            if name not in fields:
                self._unknown((*key, name), list(fields))
                continue
            left = self._any(value, hints[fields[name].name], (*key, name))
            if left is not None and sound is not None:
                sound[name] = left
            elif fields[name].required:
                sound = None
        for name, field in fields.items():
            if field.required and name not in raw:
                self._say(key, f"{self._at(key)}key '{name}' is missing", f"add {name} = ...")
                sound = None
        return sound

    def _any(self, raw: Any, annotation: Any, key: Key) -> Any:
        """Judge a value; give what is left of it, None where nothing is."""
        if raw is None:  # TOML has none: an option of the command line that was not given
            return None
        core = _core(annotation)
        if isinstance(core, type) and issubclass(core, msgspec.Struct):
            return self._struct(raw, core, key)
        left, before = raw, len(self.problems)
        inner = get_args(core)
        if get_origin(core) in _LISTS and isinstance(raw, list | tuple) and inner[1:] in ((), (...,)):
            kept = [self._any(value, inner[0], (*key, i)) for i, value in enumerate(raw)]
            self._kept[key] = [i for i, value in enumerate(kept) if value is not None]
            left = [value for value in kept if value is not None]
        if get_origin(core) is dict and isinstance(raw, dict):
            values = {name: self._any(value, inner[1], (*key, name)) for name, value in raw.items()}
            left = {name: value for name, value in values.items() if value is not None}
        if len(self.problems) > before:
            return left
        try:
            msgspec.convert(raw, annotation)
        except msgspec.ValidationError as error:
            said = str(error).partition(" - at `$")[0]
            said = "malformed" if "matching regex" in said else f"{said[0].lower()}{said[1:]}"
            self._say(key, f"{self._named(key, raw)}: {said}", _remedy(raw, annotation))
            return None
        return left

    def _unknown(self, key: Key, known: list[str]) -> None:
        near = difflib.get_close_matches(str(key[-1]), known, n=1)
        remedy = f"did you mean '{near[0]}'?" if near else f"take it away, or use one of: {', '.join(known)}"
        self._say(key, f"{self._at(key[:-1])}key '{shown(str(key[-1]))[:MAX_SHOWN]}' is unknown", remedy)

    def _named(self, key: Key, raw: Any) -> str:
        """Give `key = value` as it is shown to a user."""
        name = str(key[-1]) if key and isinstance(key[-1], str) else dotted(key)
        parent = key[:-1] if key and isinstance(key[-1], str) else ()
        if isinstance(raw, dict | list | tuple):
            return f"{self._at(parent)}{name}"
        value = (
            "..."
            if any(is_secret(str(part)) for part in key)
            else shown(json.dumps(raw, ensure_ascii=False, default=str))[:MAX_SHOWN]
        )
        return f"{self._at(parent)}{name} = {value}"

    def _at(self, key: Key) -> str:
        """Give the table that something is in: by its id where it has one."""
        if not key:
            return ""
        table = self._raw
        for part in key:
            table = table[part]
        name = table.get("id") if isinstance(table, dict) and isinstance(key[-1], int) else None
        return f"{key[0]} '{shown(name)[:MAX_SHOWN]}': " if isinstance(name, str) else f"{dotted(key)}: "

    def _say(self, key: Key, message: str, remedy: str) -> None:
        self.problems.append(Problem(message, remedy, key))


def dotted(key: Key) -> str:
    """Give a key as people write it; items of lists count from 1."""
    words = ""
    for part in key:
        words += f" {part + 1}" if isinstance(part, int) else f".{part}" if words else part
    return words


def _core(annotation: Any) -> Any:
    """Take the constraints and the `| None` off an annotation: TOML has no null."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif get_origin(annotation) in (Union, types.UnionType):
            others = [arg for arg in get_args(annotation) if arg is not types.NoneType]
            if len(others) != 1:
                return annotation
            annotation = others[0]
        else:
            return annotation


def _metas(annotation: Any) -> Iterator[msgspec.Meta]:
    """Give the constraints at any depth of an annotation."""
    if get_origin(annotation) is Annotated:
        yield from (extra for extra in get_args(annotation)[1:] if isinstance(extra, msgspec.Meta))
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        for inner in get_args(annotation):
            yield from _metas(inner)


_WORDS: dict[Any, str] = {
    **{float: "a number", int: "a whole number", str: "a text in quotes", bool: "true or false"},
    **dict.fromkeys(_LISTS, "a list in [ ]"),
    dict: "a table",
}


def _remedy(raw: Any, annotation: Any) -> str:
    """Say what can be given instead: in the author's words, or from type and range."""
    metas = list(_metas(annotation))
    for meta in metas:
        if meta.extra and "remedy" in meta.extra:
            return str(meta.extra["remedy"])
    core = _core(annotation)
    if get_origin(core) is Literal:
        choices = [str(choice) for choice in get_args(core)]
        near = difflib.get_close_matches(str(raw), choices, n=1)
        return f"use one of: {', '.join(choices)}" + (f"; did you mean '{near[0]}'?" if near else "")
    kinds = get_args(core) if get_origin(core) in (Union, types.UnionType) else (core,)
    words = " or ".join(_WORDS[kind] for each in kinds if (kind := get_origin(each) or each) in _WORDS)
    low = next((meta.ge for meta in metas if meta.ge is not None), None)
    high = next((meta.le for meta in metas if meta.le is not None), None)
    if low is not None and high is not None:
        return f"give {words} from {low:g} to {high:g}"
    return f"give {words}" + (f", {low:g} or more" if low is not None else "")
