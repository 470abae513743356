"""Addresses: taken apart, checked, and shown without what may be secret in them."""

import base64
from contextlib import suppress
from urllib.parse import SplitResult, quote, unquote, urlsplit

from streamer.errors import SourceUriError

_PATH_SAFE = "/%:@!$&'()*+,;=~-._|[]^`{}"
_QUERY_SAFE = _PATH_SAFE + "?"


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


def redact(url: str) -> str:
    """Give a URL without what may be secret in it (user, password, query, fragment), fit to be printed."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        shown = url.partition("?")[0].rpartition("@")[2][:200] if "//" in url else "a malformed URL"
    else:
        host = f"[{host}]" if ":" in host else host[:200]
        shown = f"{parts.scheme}://{host}{port}{parts.path[:200]}{'?...' if parts.query else ''}"
    return "".join(c if c.isprintable() else "?" for c in shown)


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
