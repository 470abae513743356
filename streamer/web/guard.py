"""Stands before an ASGI application: who may ask what, and what browsers are told about the answer.

Everything is refused that a page or a metric isn't asked with: other methods than GET and HEAD, bodies,
a Host by which we are not known (DNS rebinding), requests that another site's page makes, and, where a
token is set, those without it.
"""

import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
UNSPECIFIED = frozenset({"0.0.0.0", "::"})

HEADERS = {
    # Nothing but our own files; no inline script or style; and no text can be made markup by script.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; base-uri 'self'; form-action 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
COOKIE_AGE_S = 365 * 86_400


class Guard:
    """An ASGI application that hands on what is harmless, and answers the rest itself.

    Args:
        app: what is guarded.
        bound: the address on which it is served. Known by it, by the names of loopback and by `hosts`;
            where it is all addresses of the machine, by any address, which no name server can forge.
        hosts: further names by which it is asked for, without port.
        token: demanded of everybody, as `Authorization: Bearer`, or once as `?token=`, which
            leaves a cookie; None: nobody is asked.
    """

    def __init__(
        self, app: ASGIApp, *, bound: str, hosts: Iterable[str] = (), token: str | None = None
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK | {bound.lower()} | {host.lower() for host in hosts}
        self._by_address = bound in UNSPECIFIED
        self._token = token
        # The cookie shows neither the token nor, on a host with several services, another's.
        digest = hmac.new((token or "").encode(), b"genrecast cookie", hashlib.sha256).hexdigest()
        self._cookie, self._pass = f"genrecast-{digest[:8]}", digest[8:]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an `http` scope; see ASGI. `serve` lets no others come."""
        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope, Headers(scope=scope)) or self._app
        try:
            await answer(scope, receive, send_guarded)
        except Exception as error:
            log.error("%r: a fault of genrecast's own: %s: %s", scope["path"], type(error).__name__, error)
            log.debug("%r: unforeseen", scope["path"], exc_info=True)
            if not begun:
                await _no(500, "a fault of genrecast's own; please report it")(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Give what to answer instead of the application; None where the request may pass."""
        if scope["method"] not in ("GET", "HEAD"):
            return _no(405, "only GET and HEAD are answered here", Allow="GET, HEAD")
        if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
            return _no(413, "no body is taken here")
        if not self._knows(headers.get("host", "")):
            return _no(403, "not served by this name: add it to 'hosts' in the configuration")
        if not _is_own(headers):
            return _no(403, "another site's page may not ask here")
        return self._unknown(scope, headers) if self._token is not None else None

    def _knows(self, host: str) -> bool:
        name = _without_port(host)
        return name in self._hosts or (self._by_address and _is_address(name))

    def _unknown(self, scope: Scope, headers: Headers) -> Response | None:
        """Give the answer to whoever doesn't show the token, and to whoever first does so."""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if (scheme.lower() == "bearer" and self._is_token(bearer.strip())) or self._has_pass(headers):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(key == "token" and self._is_token(value) for key, value in query):
            # Relative, so that it holds behind a proxy too; without the token, which is not to be kept.
            rest = urlencode([(key, value) for key, value in query if key != "token"])
            last = scope["path"].rpartition("/")[2]
            answer = RedirectResponse(f"./{last}{'?' if rest else ''}{rest}", 303)
            answer.set_cookie(
                self._cookie, self._pass, max_age=COOKIE_AGE_S, path="/", httponly=True, samesite="lax"
            )
            return answer
        return _no(
            401, "a token is needed: Authorization: Bearer, or once ?token=", **{"WWW-Authenticate": "Bearer"}
        )

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self._token or "").encode())

    def _has_pass(self, headers: Headers) -> bool:
        cookie = cookie_parser(headers.get("cookie", "")).get(self._cookie, "")
        return hmac.compare_digest(cookie.encode(), self._pass.encode())


def _is_own(headers: Headers) -> bool:
    """Say whether a request comes from our own page, from no page, or from a link that somebody followed."""
    match headers.get("sec-fetch-site"):
        case None | "same-origin" | "none":
            return True
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _no(status: int, why: str, **headers: str) -> Response:
    return PlainTextResponse(why + "\n", status, headers)
