"""The page's addresses: two documents, their files, JSON, and server-sent events."""

import asyncio
import html
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from streamer.errors import GenrecastError
from streamer.page.hearing import Hearing
from streamer.page.state import event

STATIC = Path(__file__).parent / "static"


class Page:
    """Answers requests from what is known of the stations.

    Args:
        hearing: what is known, who watches, and what was kept.
        base_path: under which a proxy shows it; asked for with it or without.
    """

    def __init__(self, hearing: Hearing, base_path: str = "") -> None:
        self._stations, self._streams, self._past = hearing.stations, hearing.streams, hearing.past
        base = html.escape(f"{base_path}/")
        self._documents = {
            name: (STATIC / f"{name}.html").read_text(encoding="utf-8").replace("{base}", base)
            for name in ("stations", "station")
        }
        routes: list[BaseRoute] = [
            Route("/", self._all),
            Route("/station/{id}", self._one),
            Route("/events", self._watch_all),
            Route("/events/{id}", self._watch_one),
            Route("/api/stations", self._api_all),
            Route("/api/stations/{id}", self._api_one),
            Route("/api/stations/{id}/history", self._api_history),
            Mount("/static", StaticFiles(directory=STATIC)),
        ]
        self.app = Starlette(routes=[Mount(base_path, routes=routes), *routes] if base_path else routes)

    async def _all(self, request: Request) -> Response:
        return HTMLResponse(self._documents["stations"])

    async def _one(self, request: Request) -> Response:
        known = request.path_params["id"] in self._stations.all
        return HTMLResponse(self._documents["station"], 200 if known else 404)

    async def _watch_all(self, request: Request) -> Response:
        return self._stream(None, lambda: event("all", self._stations.whole(time.time())))

    async def _watch_one(self, request: Request) -> Response:
        station = self._stations.all.get(request.path_params["id"])
        if station is None:
            return _unknown()
        return self._stream(
            station.id,
            lambda: event("all", self._stations.one(station.id, time.time()) | station.told()),
        )

    async def _api_all(self, request: Request) -> Response:
        return _json([self._stations.one(id, time.time())["station"] for id in self._stations.all])

    async def _api_one(self, request: Request) -> Response:
        id = request.path_params["id"]
        return (
            _json(self._stations.one(id, time.time())["station"]) if id in self._stations.all else _unknown()
        )

    async def _api_history(self, request: Request) -> Response:
        station = self._stations.all.get(request.path_params["id"])
        if station is None:
            return _unknown()
        try:
            past = await asyncio.to_thread(self._past.of, station.id)
        except GenrecastError as error:
            return _json({"code": error.code, "message": error.message}, 503)
        return _json(past or {"tracks": list(station.tracks), "hours": None})

    def _stream(self, what: str | None, first: Callable[[], bytes]) -> Response:
        if self._streams.full():
            return PlainTextResponse("too many look at it now\n", 503, {"Retry-After": "10"})
        return StreamingResponse(self._streams.watch(what, first), media_type="text/event-stream")


def _json(data: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(data), status, media_type="application/json")


def _unknown() -> Response:
    return _json({"code": "unknown-station", "message": "no station of this id is known"}, 404)
