"""Addresses: taken apart, checked, compared."""

import base64
from contextlib import suppress
from urllib.parse import SplitResult, quote, unquote, urlsplit

from streamer.errors import SourceUriError
from streamer.text import redact

_PATH_SAFE = "/%:@!$&'()*+,;=~-._|[]^`{}"
_QUERY_SAFE = _PATH_SAFE + "?"
_PORTS = {"http": 80, "https": 443}


def check_url(url: str) -> SplitResult:
    """Take an http or https URL apart.

    Raises:
        SourceUriError: it is none, has no host or a port that is no port.
    """
    problem = ""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
        if parts.scheme not in ("http", "https"):
            problem = f"scheme '{parts.scheme[:20]}' where only http and https are followed"
        elif not host or any(c.isspace() or not c.isprintable() for c in url):
            problem = "no host" if not host else "white space or control characters"
        elif port == 0:
            problem = "port 0"
        else:
            host.encode("ascii" if ":" in host else "idna")
    except (ValueError, UnicodeError):
        problem = "malformed host or port"
    if problem:
        raise SourceUriError(f"{redact(url)}: {problem}", remedy="write http://host:port/path")
    return parts


def normal(url: str) -> str:
    """Give a valid URL in the one form of all that mean the same, to compare it."""
    parts = check_url(url)
    host, port = ascii_host(parts.hostname or "").lower().rstrip("."), parts.port
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    host = f"[{host}]" if ":" in host else host
    place = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{user}{place}{target(parts)}"


def ascii_host(host: str) -> str:
    """Give a host as it goes over the wire."""
    if host.isascii():
        return host
    with suppress(UnicodeError):
        return host.encode("idna").decode("ascii")
    return host


def target(parts: SplitResult) -> str:
    """Give path and query as a request has them."""
    path = quote(parts.path or "/", safe=_PATH_SAFE)
    return path + (f"?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else "")


def authorization(parts: SplitResult) -> str | None:
    """Give the header for `user:password@`, None where there is none."""
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def same_host(one: SplitResult, two: SplitResult) -> bool:
    """True where a password that was given for one may be sent to the other."""
    return (one.scheme, one.hostname, one.port) == (two.scheme, two.hostname, two.port)
