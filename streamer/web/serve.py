"""Serves an ASGI application on a socket of our own, with limits, until the process is asked to end."""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamer.errors import WebError
from streamer.sections import WebConfig, split_bind
from streamer.web.guard import Guard

MAX_CONNECTIONS = 256  # below the 1,024 descriptors that a process commonly may have
MAX_HEADERS = 16 << 10  # bytes; browsers send one or two thousand
REQUEST_S = 10.0  # for a request to be complete: who is slower holds a place for nothing


def listen(bind: str) -> socket.socket:
    """Bind `HOST:PORT`; port 0 takes any free one.

    Raises:
        WebError: it is in use, not an address of this machine, or not allowed.
    """
    host, port = split_bind(bind)
    try:
        family, kind, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(MAX_CONNECTIONS)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        raise WebError(
            f"can't serve on '{bind}': {error.strerror}",
            remedy="stop whatever uses it, or give another address of this machine in 'bind'",
        ) from error
    return listener


def url_of(listener: socket.socket) -> str:
    """Give the address under which a browser on this machine finds it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


async def serve(
    app: ASGIApp, listener: socket.socket, config: WebConfig, *, ending: Callable[[], None] = lambda: None
) -> None:
    """Serve, guarded, until SIGTERM or SIGINT.

    Args:
        app: what is asked.
        listener: where.
        config: the section that says who may.
        ending: called first at the end: streams that never end by themselves are to end now.
    """
    # What a stranger's request makes it say is no line of our log.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    guarded = Guard(app, bound=split_bind(config.bind)[0], hosts=config.hosts, token=config.token)
    settings = uvicorn.Config(
        guarded,
        http=_Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=MAX_HEADERS,
        timeout_graceful_shutdown=1,  # for who reads too slowly to hear of the end
    )
    await _Server(settings, ending).serve([listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Be asked to end by signals; uvicorn would raise them again, in a loop that still runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what wouldn't end by itself, then all."""
        self._ending()
        await super().shutdown(sockets)


class _Connection(H11Protocol):
    """A connection that is refused where there are too many, and ended where no request comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        self._expect()
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._patience.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """See `H11Protocol`."""
        super().on_response_complete()
        self._patience.cancel()
        self._expect()

    def _expect(self) -> None:
        self._patience = self.loop.call_later(REQUEST_S, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            self.transport.abort()
