"""One TCP connection, with or without TLS: bytes are taken as many at a time as are worth a wake.

All connections are made by `connect`. What a station sends waits in the kernel until enough of it
is there: a wake costs as much as decoding a tenth of a second.
"""

import asyncio
import functools
import socket
import ssl
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ClassVar, cast

from streamer.source.address import AddressPolicy

CONNECT_S = 10.0  # three SYNs are lost by then; a host that far away gives no steady audio either
ADDRESS_S = 3.0  # for each address but the last: a host whose IPv6 leads nowhere still answers in time
READ_BYTES = 64 * 1024  # what Icecast sends at once when one connects, and more than a second of anything
LOOK_S = 0.25
_NEAR = 1.03  # a mark in the kernel that is so little too high is left where it is


class Wire(asyncio.BufferedProtocol):
    """The client's end of a connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._data = b""
        self._ended = self._paused = False
        self._error: Exception | None = None
        self._mark = 1
        self._shared = Shared.of(self._loop)

    async def read(self, size: int = 1, within_s: float | None = None) -> bytes:
        """Wait for bytes, twice `READ_BYTES` at most; b'' is their end.

        Args:
            size: not to be woken for less, but for the end of the stream.
            within_s: when less will do; up to `LOOK_S` later.

        Raises:
            OSError: the connection broke.
        """
        if not self._data and not self._ended:
            self._wake_for(size)
            if within_s is not None:
                self._shared.watch(self, within_s)
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data, self._data = self._data, b""
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        if not data and self._error is not None:
            raise self._error
        return data

    def write(self, data: bytes) -> None:
        """Send bytes; few of them, which fit the kernel's buffer."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def hurry(self) -> None:
        """Be woken for any bytes, until the next `read`."""
        self._wake_for(1)

    def _wake_for(self, size: int) -> None:
        """Have the kernel hold back what is less than so many bytes (socket(7), SO_RCVLOWAT)."""
        if size <= self._mark <= size * _NEAR or self._transport is None:
            return
        with suppress(OSError):
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            self._mark = size

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of what asyncio made."""
        self._transport = cast(asyncio.Transport, transport)
        # A station that vanished without a word is noticed by the stall; this frees the socket too.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Say where bytes are to be read to."""
        return self._shared.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was read; where nobody waits for it, no more is read until it is taken."""
        self._data += self._shared.buffer[:nbytes]
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        elif not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Take note of the end."""
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note of the end, or what broke it."""
        self._ended, self._error = True, exc
        self._shared.forget(self)
        self._wake()


class Shared:
    """What the connections of a loop share: the buffer that they read into, and a look at who waits for long.

    What was read is copied out before anything else is read. A timer for each read would cost
    more than the read.

    Args:
        loop: that they are on.
    """

    _all: ClassVar[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, "Shared"]] = (
        weakref.WeakKeyDictionary()
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._until: dict[Wire, float] = {}
        self._looks = False
        self.buffer = memoryview(bytearray(READ_BYTES))

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Shared":
        """Give what is shared on a loop."""
        if loop not in cls._all:
            cls._all[loop] = cls(loop)
        return cls._all[loop]

    def watch(self, wire: Wire, within_s: float) -> None:
        """Hurry a connection then, unless this is called again before."""
        loop = cast(asyncio.AbstractEventLoop, self._loop())
        self._until[wire] = loop.time() + within_s
        if not self._looks:
            self._looks = True
            loop.call_later(LOOK_S, self._look)

    def forget(self, wire: Wire) -> None:
        """Watch a connection no more."""
        self._until.pop(wire, None)

    def _look(self) -> None:
        loop = cast(asyncio.AbstractEventLoop, self._loop())
        now = loop.time()
        for wire in [wire for wire, until in self._until.items() if until <= now]:
            wire.hurry()
            del self._until[wire]
        self._looks = bool(self._until)
        if self._looks:
            loop.call_later(LOOK_S, self._look)


async def connect(host: str, port: int, *, tls: bool, policy: AddressPolicy) -> Wire:
    """Turn a host into addresses, see that they are allowed, and connect to the first that answers.

    The one place where names become addresses and connections are made: a connection goes to an
    address that was checked, and no name is looked up twice.

    Raises:
        SourceForbiddenError: one of the addresses is not allowed.
        OSError: the name is unknown (`socket.gaierror`), or no address answered.
    """
    loop = asyncio.get_running_loop()
    ask = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await loop.run_in_executor(_RESOLVERS, ask)
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    policy.check(host, addresses)
    for address in addresses:
        last = address == addresses[-1]
        try:
            async with asyncio.timeout(CONNECT_S if last else ADDRESS_S):
                _, wire = await loop.create_connection(
                    Wire,
                    address,
                    port,
                    ssl=_tls_context() if tls else None,
                    server_hostname=host if tls else None,
                )
        except OSError:
            if last:
                raise
            continue
        return wire
    raise OSError("no address")


# Of its own: a name server that does not answer holds a thread for half a minute, and the
# loop's executor is what files are read in.
_RESOLVERS = ThreadPoolExecutor(32, "resolver")


@functools.cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
