"""Titles as stations send them: bytes of any charset in, short printable text out. Never fails."""

import re
import unicodedata

MAX_TITLE = 500  # characters; an ICY block holds at most 4080 bytes, a sane title far fewer

_UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn"}  # controls, bidi overrides: hostile on a terminal
_SPACE = re.compile(r"\s+")


def decode_title(raw: bytes, charset: str = "latin-1") -> str:
    """Decode as UTF-8, else as the station's charset, else as Latin-1, and clean it.

    Stations don't say which charset they use and guessing fails on short text, so
    it is a setting of the station (`charset`).
    """
    for name in ("utf-8", charset):
        try:
            return clean_title(raw.decode(name))
        except (UnicodeError, LookupError):
            continue
    return clean_title(raw.decode("latin-1"))


def clean_title(text: str) -> str:
    """Fold white space, take out what can't be printed, bound the length."""
    text = _SPACE.sub(" ", text[: 4 * MAX_TITLE])
    text = "".join(c for c in text if unicodedata.category(c) not in _UNPRINTABLE)
    return text.strip()[:MAX_TITLE]


def join_title(artist: str, title: str) -> str:
    """Give `artist - title`, as ICY stations write it, or whichever of the two there is."""
    return " - ".join(part for part in (artist, title) if part)
