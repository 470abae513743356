"""Texts for people to read: nothing that could harm a terminal."""

import json
from typing import Any


def printable(text: str) -> str:
    """Give a text that can't harm a terminal and that UTF-8 can hold: titles and file names are any bytes."""
    if text.isprintable():
        return text
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def json_line(value: Any) -> str:
    """Give a value as one line of JSON in which nothing can harm a terminal."""
    text = json.dumps(value, ensure_ascii=False)
    return (
        text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    )
