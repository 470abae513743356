"""Ids of stations from their names: safe in topics, and unique."""

import re
import unicodedata
from collections.abc import Collection
from urllib.parse import urlsplit

MAX_ID = 64
# What Unicode doesn't take apart by itself.
_FOLDED = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})


def make_id(name: str, url: str, taken: Collection[str]) -> str:
    """Give an id that isn't taken: from the name, or from the host where the name has no Latin letters."""
    base = _slug(name) or _slug(urlsplit(url).hostname or "") or "station"
    made, number = base, 1
    while made in taken:
        number += 1
        suffix = f"-{number}"
        made = base[: MAX_ID - len(suffix)] + suffix
    return made


def _slug(text: str) -> str:
    text = unicodedata.normalize("NFKD", text[: 4 * MAX_ID].casefold().translate(_FOLDED))
    text = "".join(c for c in text if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", text).strip("-")[:MAX_ID].rstrip("-")
