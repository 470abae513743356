"""A small HTTP/1.x client for audio: one connection a request, endless bodies, every wait and size bounded.

FFmpeg never fetches anything: all bytes from the network come through here, and all
connections through `connect`. h11 reads the protocol; the `ICY 200 OK` of old SHOUTcast
servers is made HTTP before h11 sees it.
"""

import asyncio
import base64
import functools
import re
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import h11

import streamer
from streamer.errors import SourceConnectionError, SourceHttpError, SourceNotFoundError, SourceUriError

CONNECT_S = 10.0  # three SYNs are lost by then; a host that far away gives no steady audio either
HEADER_S = 10.0  # Icecast answers at once; with connecting this stays below the 20 s to `no-signal`
ADDRESS_S = 3.0  # for each address but the last: a host whose IPv6 leads nowhere still answers in time
MAX_HEADERS = 16 * 1024
MAX_REDIRECTS = 5
READ_BYTES = 16 * 1024

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

    def __init__(
        self,
        url: str,
        response: h11.Response,
        connection: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.url, self.status = url, response.status_code
        self.headers: dict[str, str] = {}
        for key, value in response.headers:
            self.headers.setdefault(key.decode("latin-1").lower(), value.decode("latin-1"))
        self._connection, self._reader, self._writer = connection, reader, writer

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def wake_for(self, size: int) -> None:
        """Have the kernel hold back what is less than so many bytes: waking costs more than decoding.

        The end of a stream is told at once all the same (socket(7), SO_RCVLOWAT).
        """
        with suppress(OSError):
            connection = self._writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)

    async def read_some(self) -> bytes:
        """Wait for the next bytes of the body; b'' is its end.

        Raises:
            SourceConnectionError: the connection broke.
        """
        try:
            while True:
                event = self._connection.next_event()
                if event is h11.NEED_DATA:
                    self._connection.receive_data(await self._reader.read(READ_BYTES))
                elif isinstance(event, h11.Data):
                    if event.data:
                        return bytes(event.data)
                else:
                    return b""
        except (OSError, h11.RemoteProtocolError) as error:
            raise SourceConnectionError(
                f"{redact(self.url)}: the connection broke: {reason(error)}", remedy=_NETWORK
            ) from error

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
        self._writer.transport.abort()


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
        authorization = _authorization(parts) or (_authorization(first) if _same_host(parts, first) else None)
        response = await _request(url, parts, headers or {}, authorization)
        if response.status not in _REDIRECTS:
            return _check_status(response)
        response.close()
        location = response.headers.get("location", "").strip()
        try:
            target = urljoin(url, location) if location else ""
        except ValueError:
            target = ""
        if not target:
            raise SourceHttpError(f"{redact(url)}: a redirect that leads nowhere", remedy=_NETWORK)
        url = target
    raise SourceHttpError(
        f"{redact(url)}: more than {MAX_REDIRECTS} redirects",
        remedy="give the address that the last leads to",
    )


async def connect(host: str, port: int, *, tls: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Turn a host into addresses and connect to the first that answers.

    The one place where names become addresses and connections are made, and each
    connection goes to an address that was seen here: a rule on addresses belongs between the two.

    Raises:
        OSError: the name is unknown (`socket.gaierror`), or no address answered.
    """
    ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_RESOLVERS, ask)
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    for address in addresses:
        last = address == addresses[-1]
        try:
            async with asyncio.timeout(CONNECT_S if last else ADDRESS_S):
                reader, writer = await asyncio.open_connection(
                    address,
                    port,
                    ssl=_tls_context() if tls else None,
                    server_hostname=host if tls else None,
                    limit=2 * READ_BYTES,
                )
        except OSError:
            if last:
                raise
            continue
        # A station that vanished without a word is noticed by the stall; this frees the socket too.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return reader, writer
    raise OSError("no address")


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
    """Give a URL without what may be secret in it: user, password, query, fragment."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        host = parts.hostname or ""
    except ValueError:
        return url.partition("?")[0].rpartition("@")[2][:200] if "//" in url else "a malformed URL"
    host = f"[{host}]" if ":" in host else host
    path = "".join(c if c.isprintable() else "?" for c in parts.path)[:200]
    return f"{parts.scheme}://{host}{port}{path}{'?...' if parts.query else ''}"


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


async def _request(
    url: str, parts: SplitResult, more: dict[str, str], authorization: str | None
) -> HttpResponse:
    host, tls = str(parts.hostname), parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await connect(_ascii_host(host), port, tls=tls)
    except socket.gaierror as error:
        raise SourceNotFoundError(f"{redact(url)}: host '{host}' is not known", remedy=_NETWORK) from error
    except OSError as error:
        raise SourceConnectionError(
            f"{redact(url)}: can't connect to {host} port {port}: {reason(error)}", remedy=_NETWORK
        ) from error
    try:
        connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEADERS)
        headers = {
            "Host": _ascii_host(parts.netloc.rpartition("@")[2]),
            "User-Agent": f"genrecast/{streamer.__version__}",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Icy-MetaData": "1",
            "Connection": "close",
            **more,
        }
        if authorization:
            headers["Authorization"] = authorization
        request = h11.Request(method="GET", target=_target(parts), headers=list(headers.items()))
        async with asyncio.timeout(HEADER_S):
            writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
            await writer.drain()
            return HttpResponse(url, await _head(connection, reader), connection, reader, writer)
    except (OSError, h11.ProtocolError) as error:
        writer.transport.abort()
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
        writer.transport.abort()
        raise


async def _head(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Response:
    """Wait for status line and headers."""
    start = b""
    while len(start) < 4 and (data := await reader.read(READ_BYTES)):
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
            connection.receive_data(await reader.read(READ_BYTES))
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


def _ascii_host(host: str) -> str:
    if host.isascii():
        return host
    with suppress(UnicodeError):
        return host.encode("idna").decode("ascii")
    return host


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._|[]^`{}")
    return path + (f"?{quote(parts.query, safe=_QUERY_SAFE)}" if parts.query else "")


_QUERY_SAFE = "/%:@!$&'()*+,;=~-._?|[]^`{}"


def _authorization(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


def _same_host(one: SplitResult, two: SplitResult) -> bool:
    """True where a password that was given for one may be sent to the other."""
    return (one.scheme, one.hostname, one.port) == (two.scheme, two.hostname, two.port)


# Of its own: a name server that does not answer holds a thread for half a minute, and the
# loop's executor is what files are read in.
_RESOLVERS = ThreadPoolExecutor(32, "resolver")


@functools.cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
