"""A small HTTP/1.x client for audio: one connection a request, endless bodies, every wait and size bounded.

FFmpeg never fetches anything: all bytes from the network come through here, and all
connections through `wire.connect`, which holds each hop against the station's address policy.
"""

import asyncio
import socket
from urllib.parse import SplitResult, urljoin, urlsplit

import h11

import streamer
from streamer.errors import SourceConnectionError, SourceHttpError, SourceNotFoundError
from streamer.source.address import AddressPolicy
from streamer.source.response import MAX_HEADERS, NETWORK, HttpResponse, new_throttle, read_head, reason
from streamer.source.url import ascii_host, authorization, check_url, same_host, target
from streamer.source.wire import CONNECT_S, connect
from streamer.text import redact

HEADER_S = 10.0  # Icecast answers at once; with connecting this stays below the 20 s to `no-signal`
MAX_REDIRECTS = 5

_REDIRECTS = {301, 302, 303, 307, 308}
_COMPRESSED = {"gzip", "x-gzip", "deflate", "br", "zstd", "compress"}


class HttpClient:
    """Asks for what one station needs.

    Args:
        policy: where connections may go.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._throttle = new_throttle()

    async def fetch(self, url: str, *, headers: dict[str, str] | None = None) -> HttpResponse:
        """Ask for a URL, follow redirects, give the answer once its headers are there.

        Args:
            url: http or https; `user:password@` becomes basic authentication.
            headers: more headers than those every request has.

        Raises:
            SourceForbiddenError: it, or where it redirects to, is at an address that is not allowed.
            SourceNotFoundError: no such host, or 404 or 410 (a mount may come back: not final).
            SourceConnectionError: refused, timed out, reset, or TLS failed.
            SourceHttpError: any other status, a redirect loop, broken or endless headers, a compressed body.
        """
        first = urlsplit(url)
        for _ in range(MAX_REDIRECTS + 1):
            parts = check_url(url)
            secret = authorization(parts) or (authorization(first) if same_host(parts, first) else None)
            response = await self._request(url, parts, headers or {}, secret)
            if response.status not in _REDIRECTS:
                return _check_status(response)
            response.close()
            location = response.headers.get("location", "").strip()
            try:
                further = urljoin(url, location) if location else ""
            except ValueError:
                further = ""
            if not further:
                raise SourceHttpError(f"{redact(url)}: a redirect that leads nowhere", remedy=NETWORK)
            url = further
        raise SourceHttpError(
            f"{redact(url)}: more than {MAX_REDIRECTS} redirects",
            remedy="give the address that the last leads to",
        )

    async def _request(
        self, url: str, parts: SplitResult, more: dict[str, str], secret: str | None
    ) -> HttpResponse:
        host, tls = str(parts.hostname), parts.scheme == "https"
        port = parts.port or (443 if tls else 80)
        try:
            async with asyncio.timeout(CONNECT_S):
                wire = await connect(ascii_host(host), port, tls=tls, policy=self._policy)
        except socket.gaierror as error:
            raise SourceNotFoundError(f"{redact(url)}: host '{host}' is not known", remedy=NETWORK) from error
        except OSError as error:
            raise SourceConnectionError(
                f"{redact(url)}: can't connect to {host} port {port}: {reason(error)}", remedy=NETWORK
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
                return HttpResponse(url, await read_head(connection, wire), connection, wire, self._throttle)
        except (OSError, h11.ProtocolError) as error:
            wire.close()
            if isinstance(error, TimeoutError):
                raise SourceConnectionError(
                    f"{redact(url)}: connected, then no answer for {HEADER_S:g} s", remedy=NETWORK
                ) from error
            if isinstance(error, OSError):
                raise SourceConnectionError(f"{redact(url)}: {reason(error)}", remedy=NETWORK) from error
            raise SourceHttpError(
                f"{redact(url)}: no HTTP answer that can be read: {reason(error)}",
                remedy="check that the address is that of a web or streaming server",
            ) from error
        except BaseException:
            wire.close()
            raise


def _check_status(response: HttpResponse) -> HttpResponse:
    status = response.status
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if 200 <= status < 300 and encoding not in _COMPRESSED:
        return response
    response.close()
    name = redact(response.url)
    if 200 <= status < 300:
        raise SourceHttpError(
            f"{name}: the server sends a compressed body ({encoding}), which was not asked for",
            remedy="have the server send audio and playlists as they are",
        )
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
    raise SourceHttpError(f"{name}: the server answers with status {status}", remedy=NETWORK)
