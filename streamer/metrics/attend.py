"""The metrics' process: hears the bus, and serves what it knows: `/metrics`, `/healthz`, `/readyz`."""

import asyncio
import socket
import time

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from streamer.attend import Say
from streamer.config import Config
from streamer.metrics.collect import GenrecastCollector
from streamer.metrics.live import Live
from streamer.publish.keys import own_keys
from streamer.publish.subscribe import Subscriber
from streamer.sections import MetricsConfig
from streamer.web.serve import listen, serve, url_of

LOOK_S = 0.5  # from one look at the bus to the next


def attend(config: Config, endpoint: str, say: Say) -> None:
    """Serve metrics of what is said at `endpoint`, until SIGTERM or SIGINT.

    Raises:
        WebError: the address can't be had.
        PublishError: the endpoint is malformed.
    """
    section = config.metrics or MetricsConfig()
    with listen(section.bind) as listener:
        topics = ("heartbeat/", "status/", *(["genre/"] if section.per_station else []))
        subscriber = Subscriber(endpoint, topics, keys=own_keys(config.security), who="[metrics]")
        try:
            say(None, f"metrics are at {url_of(listener)}metrics")
            asyncio.run(_run(section, subscriber, listener))
        finally:
            subscriber.close()


async def _run(section: MetricsConfig, subscriber: Subscriber, listener: socket.socket) -> None:
    live = Live()
    collector = GenrecastCollector(live, lost=lambda: subscriber.lost, now=time.monotonic, time=time.time)
    async with asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(_hear(live, subscriber))
        await serve(application(live, collector), listener, section)
        hearing.cancel()


async def _hear(live: Live, subscriber: Subscriber) -> None:
    while True:
        for message in subscriber.drain():
            live.take(message, time.monotonic())
        await asyncio.sleep(LOOK_S)


def application(live: Live, collector: GenrecastCollector) -> Starlette:
    """Give what answers: Prometheus, and those who ask whether all is well."""

    async def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(collector), headers={"content-type": kind})

    async def healthz(_: Request) -> Response:
        return _answer(live.trouble(time.monotonic()))

    async def readyz(_: Request) -> Response:
        return _answer(live.unready(time.monotonic()))

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    )


def _answer(trouble: str | None) -> Response:
    return PlainTextResponse("ok\n" if trouble is None else f"{trouble}\n", 200 if trouble is None else 503)
