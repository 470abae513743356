"""What is fuzzed: for each target its seeds, and what must hold of any input.

A target may raise the errors that its readers document, and nothing else.
"""

import asyncio
import os
import random
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import zmq

from streamer.check.load import load_config
from streamer.cli.view import first, line
from streamer.contract import read_contract
from streamer.errors import ConfigError, ModelError, SourceError
from streamer.gateway.own import Own
from streamer.gateway.voices import Voices
from streamer.model.onnx_file import MalformedError, scan
from streamer.model.session import Model
from streamer.publish.outlet import MAX_PREFIX, Outlet
from streamer.publish.subscribe import parse
from streamer.source import http
from streamer.source.address import AddressPolicy
from streamer.source.hls import Follower
from streamer.source.hls_playlist import parse_master, parse_media
from streamer.source.icy import IcyReader, parse_metaint
from streamer.source.id3 import id3_title, split_id3
from streamer.source.ogg_decode import comment_title
from streamer.source.open import check_uri
from streamer.source.playlist import parse_playlist, playlist_kind
from streamer.source.titles import MAX_TITLE
from streamer.source.url import check_url
from streamer.text import redact
from tests.fuzz.streams import STREAMS, scratch
from tests.tiny_model import model_bytes

CORPUS = Path(__file__).parent / "corpus"
URL = "http://radio.example/live.m3u8"
LOADED_ONE_IN = 64  # of model files that are refused for nothing, opened by ONNX Runtime too: that is slow


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    Attributes:
        seeds: gives valid inputs.
        run: takes an input; what it raises is a finding, but for `allowed`.
        allowed: the errors that are promised.
        tokens: what has a meaning there.
        growth_mb: memory that a process may take beyond what it had when it was warm.
    """

    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes], None]
    allowed: tuple[type[Exception], ...]
    tokens: list[bytes] = field(default_factory=list)
    growth_mb: int = 300


def texts(name: str) -> list[bytes]:
    """Read a file of the corpus: inputs parted by '%%' lines, bytes that are no text as escapes."""
    whole = (CORPUS / f"{name}.txt").read_bytes().decode("ascii").rstrip("\n")
    return [part.encode().decode("unicode_escape").encode("latin-1") for part in whole.split("\n%%\n")]


def icy(data: bytes) -> None:
    """Titles of all kinds: short, printable, whatever was sent."""
    blocks = bytes(300) + bytes([min(255, (len(data) + 15) // 16)]) + data + data
    titles = [part.text for part in IcyReader(300, "cp1251").feed(blocks) if not isinstance(part, bytes)]
    titles += filter(None, (id3_title(data), split_id3(data)[0], comment_title(data)))
    parse_metaint(data.decode("latin-1"))
    assert all(title.isprintable() and len(title) <= 2 * MAX_TITLE + 3 for title in titles)


def playlist(data: bytes) -> None:
    """Playlists lead to http and https alone."""
    kind = playlist_kind(data, content_type="audio/x-mpegurl", url=URL)
    redact(data.decode("latin-1"))
    for address in parse_playlist(data, "m3u" if kind in (None, "hls") else kind, url=URL):
        assert urlsplit(address).scheme in ("http", "https")
        assert redact(address).isprintable()
        check_url(address)
        AddressPolicy.of((), address)


def hls(data: bytes) -> None:
    """HLS leads to http and https alone, in bounded steps."""
    text = data.decode("utf-8", errors="replace")
    if variant := parse_master(text, URL):
        assert urlsplit(variant).scheme in ("http", "https")
    follower = Follower()
    for _ in range(2):
        media = parse_media(text, URL)
        missed_s, _ = follower.take(media)
        assert missed_s >= 0
        assert all(urlsplit(segment.part.url).scheme in ("http", "https") for segment in media.segments)
        assert 0.5 <= media.target_s <= 60


def config(data: bytes) -> None:
    """A configuration is read or refused; so are the sources in it."""
    scratch().write_bytes(data)
    for station in load_config(scratch()).station:
        check_uri(station.source)


def model(data: bytes) -> None:
    """A model file is refused before ONNX Runtime sees it, or loads, or is refused by it."""
    file = scan(data)
    read_contract(file.metadata, name="input")
    if random.Random(data).randrange(LOADED_ONE_IN) == 0:
        Model(data, name="input", provider="cpu")


@cache
def _outlet() -> tuple[Outlet, "zmq.Socket[bytes]", asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    outlet = Outlet({b"genre/a/": b"{}", b"status/kexp/": b"{}"})
    endpoint = f"ipc://{tempfile.mkdtemp()}/bus"
    outlet.socket.bind(endpoint)
    outlet._loop = loop
    client = zmq.Context.instance().socket(zmq.XSUB)
    client.setsockopt(zmq.RCVHWM, 100)
    client.connect(endpoint)
    return outlet, client, loop


def subscription(data: bytes) -> None:
    """What a subscriber sends, and what it and a gateway are sent; and what a person is shown of it."""
    outlet, client, loop = _outlet()
    client.send(b"\x01" + data[:MAX_PREFIX])
    client.send(b"\x00" + data[:MAX_PREFIX])
    client.send(data[:MAX_PREFIX])
    while client.poll(0):
        client.recv_multipart()
    outlet._read_subscriptions()
    loop.run_until_complete(asyncio.sleep(0))
    outlet._replay()
    voices = Voices(Own("gateway"))
    voices.take([(b"genre/a/", data), (b"status/a/", data)], 0.0)
    voices.tick(1000.0, 1e9)
    message = parse([b"topic", data])
    parse([data])
    if message is not None:
        line(message)
        if message["kind"] == "genre":
            first(message)


class _Answer:
    """Stands for a connection on which the input comes, in pieces."""

    def __init__(self, data: bytes) -> None:
        cut = random.Random(data).randint(1, max(1, len(data)))
        self._pieces = [data[:cut], data[cut:]]

    async def read(self, size: int = 1, within_s: float | None = None) -> bytes:
        return self._pieces.pop(0) if self._pieces else b""

    def write(self, data: bytes) -> None:
        assert data.startswith(b"GET /")
        assert data.count(b"\r\n\r\n") == 1

    def close(self) -> None:
        self._pieces.clear()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def answer(data: bytes) -> None:
    """An HTTP answer is read to its end, or refused; where it redirects to is asked again."""

    async def connect(*_: Any, **__: Any) -> _Answer:
        return _Answer(data)

    async def run() -> None:
        response = await http.HttpClient(AddressPolicy()).fetch("http://user:secret@radio.example/live")
        assert response.content_type.isprintable()
        while await response.read_some():
            pass

    with patch.object(http, "connect", connect):
        _loop().run_until_complete(run())


def _tokens(*words: str) -> list[bytes]:
    return [word.encode() for word in words]


PARSERS: dict[str, Target] = {
    "icy": Target(lambda: texts("icy"), icy, (), _tokens("StreamTitle='", "';", "TIT2", "ID3", "OpusTags")),
    "playlist": Target(
        lambda: texts("playlist"), playlist, (SourceError,), _tokens("File1=", "[playlist]", "<location>")
    ),
    "hls": Target(
        lambda: texts("hls"),
        hls,
        (SourceError,),
        _tokens("#EXTINF:", "#EXT-X-BYTERANGE:", "#EXT-X-MAP:URI=", "#EXT-X-KEY:METHOD=", "#EXT-X-GAP"),
    ),
    "http": Target(
        lambda: texts("http"),
        answer,
        (SourceError,),
        _tokens(
            "Transfer-Encoding: chunked\r\n", "Content-Length: 9\r\n", "Location: ", "ICY 200", "\r\n\r\n"
        ),
    ),
    "config": Target(
        lambda: texts("config"),
        config,
        (ConfigError, SourceError),
        _tokens("[[station]]\n", "[security]\n", "id = ", "source = ", '"http://', "true", "inf", "0xff"),
    ),
    "model": Target(
        lambda: [model_bytes(), model_bytes(trunk=True)], model, (ModelError, MalformedError), [b"genrecast."]
    ),
    "subscription": Target(
        lambda: texts("subscription"),
        subscription,
        (),
        _tokens('"v":1', '"kind":', "null", "[[[[", "9" * 400),
    ),
}
"""What parses: by name."""


def crash(_: bytes) -> None:
    """Do what a decoder does at its worst, to see that it is noticed."""
    os.kill(os.getpid(), signal.SIGSEGV)


TARGETS: dict[str, Target] = {"crash": Target(lambda: [b""], crash, ())}
TARGETS |= PARSERS | {
    name: Target(stream.seeds, stream.run, (SourceError,), list(stream.tokens), stream.growth_mb)
    for name, stream in STREAMS.items()
}
"""All there is."""


def check(target: Target, data: bytes) -> Exception | None:
    """Give what an input raises that it may not."""
    try:
        target.run(data)
    except target.allowed:
        pass
    except Exception as error:
        return error
    return None
