"""Tiny servers on loopback that say exactly what a test wants said."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from streamer.flow import Block, SourceEvent
from streamer.source.base import Source

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[str]:
    """Serve until the context ends; the handler gets the request's head and writes what it likes."""
    tasks: set[asyncio.Task] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            await handler(head, writer)
            await writer.drain()
        writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def pages(answers: dict[str, bytes]) -> Handler:
    """A handler that gives each path its whole answer."""

    async def handler(head: str, writer: asyncio.StreamWriter) -> None:
        path = head.split(" ")[1]
        writer.write(answers.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))

    return handler


def ok(body: bytes, content_type: str = "audio/mpeg", *headers: str) -> bytes:
    lines = ["HTTP/1.0 200 OK", f"Content-Type: {content_type}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


async def listen(source: Source, *, until_s: float = 1e9) -> tuple[list[SourceEvent], Exception | None]:
    """Give the events of a source until it ends, fails or has given that much audio."""
    events: list[SourceEvent] = []
    heard_s = 0.0
    try:
        async for event in source.events():
            events.append(event)
            if isinstance(event, Block):
                heard_s += len(event.samples) / event.rate
                if heard_s >= until_s:
                    break
    except Exception as error:
        return events, error
    finally:
        await source.close()
    return events, None
