"""Texts for people to read: nothing secret in them, and nothing that could harm a terminal or a log."""

import json
import os
import re
from typing import Any
from urllib.parse import urlsplit

MAX_PART = 200  # characters of a URL's host, and of its path, that are shown

_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://\S+")
_AFTER_URL = "'\"<>(),;:.…"  # what ends a sentence or a quotation, and no address
_USERINFO = re.compile(r"//[^/\s]*@")
_SECRET = r"(?:[\w-]*[_-])?(?:token|key|auth|sig|signature|pass|password|passwd|pwd|secret)"
_SECRET_KEY = re.compile(_SECRET, re.IGNORECASE)
_SECRET_PAIR = re.compile(rf"\b({_SECRET})=[^\s&'\"]+", re.IGNORECASE)


def redact(url: str) -> str:
    """Give a URL without what may be secret in it: user, password, query, fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        return (
            "a malformed URL"
            if "@" in url or "//" not in url
            else printable(url.partition("?")[0])[:MAX_PART]
        )
    if not parts.path and "@" in parts.query + parts.fragment:
        return "a malformed URL"  # a password with '?' or '#' in it: what looks like the host is the user
    host = f"[{host}]" if ":" in host else host[:MAX_PART]
    path = _USERINFO.sub("//", parts.path)[:MAX_PART]
    return printable(f"{parts.scheme}://{host}{port}{path}{'?...' if parts.query else ''}")


def shown(text: str) -> str:
    """Give a text of any origin as it may be shown: one line, URLs without secrets, no controls."""
    if "://" in text:
        text = _URL.sub(_without_secrets, text)
    if "=" in text:
        text = _SECRET_PAIR.sub(r"\1=...", text)
    return printable(text)


def printable(text: str) -> str:
    """Give a text that can't harm a terminal and that UTF-8 can hold: titles and file names are any bytes."""
    if text.isprintable():
        return text
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def first_line(error: BaseException) -> str:
    """Give what fits in a sentence of what a library's error says."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def path_text(path: str | bytes | os.PathLike[str]) -> str:
    """Give a path as text that UTF-8 can hold: a name may be any bytes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_secret(key: str) -> bool:
    """Say whether a value under this name must not be shown."""
    return _SECRET_KEY.fullmatch(key) is not None


def json_line(value: Any) -> str:
    """Give a value as one line of JSON in which nothing can harm a terminal."""
    text = json.dumps(value, ensure_ascii=False)
    return (
        text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    )


def _without_secrets(match: re.Match[str]) -> str:
    found = match.group()
    url = found.rstrip(_AFTER_URL)
    if url.endswith("?"):  # redacted already: '?...'
        return _USERINFO.sub("//", found)
    return redact(url) + found[len(url) :]
