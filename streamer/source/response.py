"""An HTTP/1.x answer: status line and headers, then a body that may never end, every size bounded.

h11 reads the protocol; the `ICY 200 OK` of old SHOUTcast servers is made HTTP before h11 sees it. A
body that ends with the connection needs no protocol. Nothing is ever decompressed.
"""

import asyncio
import re
import ssl

import h11

from streamer.errors import SourceConnectionError, SourceHttpError
from streamer.source.pace import Pacer
from streamer.source.titles import clean_title
from streamer.source.wire import Wire
from streamer.text import redact

MAX_HEADERS = 16 * 1024  # bytes; Icecast sends one
MAX_FIELDS = 128  # headers; Icecast sends a dozen, a CDN three
MAX_INFORMATIONAL = 8  # answers of status 1xx before the real one; nobody sends two
MAX_BYTES_S = 2 * 1024 * 1024  # FLAC in stereo at 192 kHz has half of it, HLS with video of 12 Mbit/s less
BURST_S = 8.0  # at that rate: a whole HLS segment comes as fast as it can

NETWORK = "check the address and the network; it is tried again by itself"

_URL_IN_TEXT = re.compile(r"(?:https?|icy)://\S+", re.IGNORECASE)


def new_throttle() -> Pacer:
    """Give what holds a station to `MAX_BYTES_S`, all its connections together."""
    return Pacer(BURST_S)


class HttpResponse:
    """An answer whose body is still to be read.

    Attributes:
        url: where it came from in the end, after redirects.
        status: 2xx.
        headers: names in lower case; the first of each name.
    """

    def __init__(
        self, url: str, response: h11.Response, connection: h11.Connection, wire: Wire, throttle: Pacer
    ) -> None:
        self.url, self.status = url, response.status_code
        self.headers: dict[str, str] = {}
        for key, value in response.headers:
            self.headers.setdefault(key.decode("latin-1").lower(), value.decode("latin-1"))
        self._wire, self._throttle = wire, throttle
        framed = any(name in self.headers for name in ("content-length", "transfer-encoding"))
        self._connection = connection if framed else None  # without either, all that follows is the body
        self._early = b"" if framed else connection.trailing_data[0]
        self._ended = False

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters, and without what hurts a terminal."""
        return clean_title(self.headers.get("content-type", "").partition(";")[0]).lower()

    def hurry(self) -> None:
        """Have whoever reads be given what is there."""
        self._wire.hurry()

    async def read_some(self, size: int = 1, within_s: float | None = None) -> bytes:
        """Wait for the next bytes of the body; b'' is its end. Who sends too many a second waits.

        Args:
            size: not to be woken for less (`Wire.read`).
            within_s: when less will do.

        Raises:
            SourceConnectionError: the connection broke.
        """
        try:
            if self._connection is not None:
                data = await self._read_framed(self._connection, size, within_s)
            else:
                early, self._early = self._early, b""
                data = early or await self._wire.read(size, within_s)
        except (OSError, h11.RemoteProtocolError) as error:
            raise SourceConnectionError(
                f"{redact(self.url)}: the connection broke: {reason(error)}", remedy=NETWORK
            ) from error
        if wait_s := self._throttle.wait_s(len(data) / MAX_BYTES_S, asyncio.get_running_loop().time()):
            await asyncio.sleep(wait_s)  # nothing is read meanwhile, and TCP holds the sender
        return data

    async def _read_framed(self, connection: h11.Connection, size: int, within_s: float | None) -> bytes:
        data = bytearray()  # of all chunks that are there: a thousand of one byte are no more work than that
        while not self._ended:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                data += event.data
            elif event is not h11.NEED_DATA:
                self._ended = True
            elif data:
                break
            else:
                connection.receive_data(await self._wire.read(size, within_s))
        return bytes(data)

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
                f"{redact(self.url)}: not read to its end within {timeout_s:g} s", remedy=NETWORK
            ) from error
        return bytes(body)

    def close(self) -> None:
        """Drop the connection."""
        self._wire.close()


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


async def read_head(connection: h11.Connection, wire: Wire) -> h11.Response:
    """Wait for status line and headers."""
    start = b""
    while len(start) < 4 and (data := await wire.read()):
        start += data
    if start.startswith(b"ICY "):
        start = b"HTTP/1.0 " + start[4:]
    if not start:
        raise ConnectionResetError("the server closed the connection without an answer")
    connection.receive_data(start)
    informational = 0
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            if len(event.headers) > MAX_FIELDS:
                raise h11.RemoteProtocolError(f"more than {MAX_FIELDS} headers")
            return event
        if event is h11.NEED_DATA:
            connection.receive_data(await wire.read())
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("the server closed the connection without an answer")
        elif (informational := informational + 1) > MAX_INFORMATIONAL:
            raise h11.RemoteProtocolError("one informational answer after the other")
