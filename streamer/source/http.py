"""A small HTTP/1.x client for audio: one connection a request, endless bodies, every wait and size bounded.

FFmpeg never fetches anything: all bytes from the network come through here, and all
connections through `wire.connect`. h11 reads the protocol; the `ICY 200 OK` of old SHOUTcast
servers is made HTTP before h11 sees it. A body that ends with the connection needs no protocol.
"""

import asyncio
import re
import socket
import ssl
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

import streamer
from streamer.errors import SourceConnectionError, SourceHttpError, SourceNotFoundError
from streamer.source.url import ascii_host, authorization, check_url, same_host, target
from streamer.source.wire import CONNECT_S, Wire, connect
from streamer.text import redact

HEADER_S = 10.0  # Icecast answers at once; with connecting this stays below the 20 s to `no-signal`
MAX_HEADERS = 16 * 1024
MAX_REDIRECTS = 5

_REDIRECTS = {301, 302, 303, 307, 308}
_URL_IN_TEXT = re.compile(r"(?:https?|icy)://\S+", re.IGNORECASE)
_NETWORK = "check the address and the network; it is tried again by itself"


class HttpResponse:
    """An answer whose body is still to be read.

    Attributes:
        url: where it came from in the end, after redirects.
        status: 2xx.
        headers: names in lower case; the first of each name.
    """

    def __init__(self, url: str, response: h11.Response, connection: h11.Connection, wire: Wire) -> None:
        self.url, self.status = url, response.status_code
        self.headers: dict[str, str] = {}
        for key, value in response.headers:
            self.headers.setdefault(key.decode("latin-1").lower(), value.decode("latin-1"))
        self._wire = wire
        framed = any(name in self.headers for name in ("content-length", "transfer-encoding"))
        self._connection = connection if framed else None  # without either, all that follows is the body
        self._early = b"" if framed else connection.trailing_data[0]

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def hurry(self) -> None:
        """Have whoever reads be given what is there."""
        self._wire.hurry()

    async def read_some(self, size: int = 1, within_s: float | None = None) -> bytes:
        """Wait for the next bytes of the body; b'' is its end.

        Args:
            size: not to be woken for less (`Wire.read`).
            within_s: when less will do.

        Raises:
            SourceConnectionError: the connection broke.
        """
        try:
            if self._connection is not None:
                return await self._read_framed(self._connection, size, within_s)
            early, self._early = self._early, b""
            return early or await self._wire.read(size, within_s)
        except (OSError, h11.RemoteProtocolError) as error:
            raise SourceConnectionError(
                f"{redact(self.url)}: the connection broke: {reason(error)}", remedy=_NETWORK
            ) from error

    async def _read_framed(self, connection: h11.Connection, size: int, within_s: float | None) -> bytes:
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await self._wire.read(size, within_s))
            elif not isinstance(event, h11.Data):
                return b""
            elif event.data:
                return bytes(event.data)

    async def read_all(self, limit: int, timeout_s: float) -> bytes:
        """Read the whole body.

        Raises:
            SourceHttpError: it is longer than `limit`.
            SourceConnectionError: it took longer than `timeout_s`, or the connection broke.
        """
        body = bytearray()
        try:
            async with asyncio.timeout(timeout_s):
                while data := await self.read_some():
                    body += data
                    if len(body) > limit:
                        raise SourceHttpError(
                            f"{redact(self.url)}: sends more than {limit} bytes where that is the most",
                            remedy="check that the address is that of a stream or a playlist",
                        )
        except TimeoutError as error:
            raise SourceConnectionError(
                f"{redact(self.url)}: not read to its end within {timeout_s:g} s", remedy=_NETWORK
            ) from error
        return bytes(body)

    def close(self) -> None:
        """Drop the connection."""
        self._wire.close()


async def fetch(url: str, *, headers: dict[str, str] | None = None) -> HttpResponse:
    """Ask for a URL, follow redirects, give the answer once its headers are there.

    Args:
        url: http or https; `user:password@` becomes basic authentication.
        headers: more headers than those every request has.

    Raises:
        SourceNotFoundError: no such host, or 404 or 410 (a mount may come back: not final).
        SourceConnectionError: refused, timed out, reset, or TLS failed.
        SourceHttpError: any other status, a redirect loop, broken or endless headers.
    """
    first = urlsplit(url)
    for _ in range(MAX_REDIRECTS + 1):
        parts = check_url(url)
        secret = authorization(parts) or (authorization(first) if same_host(parts, first) else None)
        response = await _request(url, parts, headers or {}, secret)
        if response.status not in _REDIRECTS:
            return _check_status(response)
        response.close()
        location = response.headers.get("location", "").strip()
        try:
            further = urljoin(url, location) if location else ""
        except ValueError:
            further = ""
        if not further:
            raise SourceHttpError(f"{redact(url)}: a redirect that leads nowhere", remedy=_NETWORK)
        url = further
    raise SourceHttpError(
        f"{redact(url)}: more than {MAX_REDIRECTS} redirects",
        remedy="give the address that the last leads to",
    )


def reason(error: BaseException) -> str:
    """Say in a few words what went wrong, without any URL in it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if isinstance(error, TimeoutError):
        return "timed out"
    text = (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    return _URL_IN_TEXT.sub("(a URL)", text)[:200]


async def _request(url: str, parts: SplitResult, more: dict[str, str], secret: str | None) -> HttpResponse:
    host, tls = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    try:
        async with asyncio.timeout(CONNECT_S):
            wire = await connect(ascii_host(host), port, tls=tls)
    except socket.gaierror as error:
        raise SourceNotFoundError(f"{redact(url)}: host '{host}' is not known", remedy=_NETWORK) from error
    except OSError as error:
        raise SourceConnectionError(
            f"{redact(url)}: can't connect to {host} port {port}: {reason(error)}", remedy=_NETWORK
        ) from error
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADERS)
        headers = {
            "Host": ascii_host(parts.netloc.rpartition("@")[2]),
            "User-Agent": f"genrecast/{streamer.__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Icy-MetaData": "1",
            "Connection": "close",
            **more,
        }
        if secret:
            headers["Authorization"] = secret
        request = h11.Request(method="GET", target=target(parts), headers=list(headers.items()))
        async with asyncio.timeout(HEADER_S):
            wire.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
            return HttpResponse(url, await _head(connection, wire), connection, wire)
    except (OSError, h11.ProtocolError) as error:
        wire.close()
        if isinstance(error, TimeoutError):
            raise SourceConnectionError(
                f"{redact(url)}: connected, then no answer for {HEADER_S:g} s", remedy=_NETWORK
            ) from error
        if isinstance(error, OSError):
            raise SourceConnectionError(f"{redact(url)}: {reason(error)}", remedy=_NETWORK) from error
        raise SourceHttpError(
            f"{redact(url)}: no HTTP answer that can be read: {reason(error)}",
            remedy="check that the address is that of a web or streaming server",
        ) from error
    except BaseException:
        wire.close()
        raise


async def _head(connection: h11.Connection, wire: Wire) -> h11.Response:
    """Wait for status line and headers."""
    start = b""
    while len(start) < 4 and (data := await wire.read()):
        start += data
    if start.startswith(b"ICY "):
        start = b"HTTP/1.0 " + start[4:]
    if not start:
        raise ConnectionResetError("the server closed the connection without an answer")
    connection.receive_data(start)
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            return event
        if event is h11.NEED_DATA:
            connection.receive_data(await wire.read())
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("the server closed the connection without an answer")


def _check_status(response: HttpResponse) -> HttpResponse:
    status = response.status
    if 200 <= status < 300:
        return response
    response.close()
    name = redact(response.url)
    if status in (404, 410):
        raise SourceNotFoundError(
            f"{name}: the server has no such stream now (status {status})",
            remedy="check the path; a mount whose encoder is away comes back by itself",
        )
    if status in (401, 403):
        raise SourceHttpError(
            f"{name}: the server does not let us listen (status {status})",
            remedy="give user and password in the address: http://user:password@host/path",
        )
    raise SourceHttpError(f"{name}: the server answers with status {status}", remedy=_NETWORK)
