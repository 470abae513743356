"""A small application behind the guard, as a process: `python -m tests.web.hello '{"bind": ...}'`."""

import asyncio
import sys

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from streamer.sections import WebConfig
from streamer.web.serve import listen, serve, url_of

ended = asyncio.Event()


async def hello(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"hello {request.query_params}")


async def broken(request: Request) -> PlainTextResponse:
    raise ValueError("oh")


async def endless(request: Request) -> StreamingResponse:
    async def pieces():
        yield b"first\n"
        await ended.wait()
        yield b"last\n"

    return StreamingResponse(pieces())


if __name__ == "__main__":
    config = msgspec.json.decode(sys.argv[1], type=WebConfig)
    listener = listen(config.bind)
    print(url_of(listener), flush=True)
    routes = [
        Route("/", hello),
        Route("/deep/page", hello),
        Route("/broken", broken),
        Route("/endless", endless),
    ]
    asyncio.run(serve(Starlette(routes=routes), listener, config, ending=ended.set))
