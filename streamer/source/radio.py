"""Radio over HTTP: an address in, events out. Playlists are followed; ICY streams and HLS are told apart."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from streamer.errors import SourceEndedError, SourceError, SourceHttpError
from streamer.flow import Block, SourceEvent, Title
from streamer.source.address import AddressPolicy
from streamer.source.base import Source
from streamer.source.decode import StreamDecoder
from streamer.source.hls import HlsStream
from streamer.source.http import HttpClient
from streamer.source.icy import IcyReader, parse_metaint
from streamer.source.pace import Pacer
from streamer.source.playlist import MAX_DEPTH, MAX_PLAYLIST, parse_playlist, playlist_kind
from streamer.source.response import HttpResponse
from streamer.source.url import check_url
from streamer.source.wake import Meter
from streamer.text import redact

HLS_STALL_S = 45.0  # segments last up to 10 s, come late and are given up after 15: HLS watches itself
PLAYLIST_S = 10.0  # to read a playlist to its end
NEWS_S = 1.0  # for a title or a format, after thirty at once: each is a message, and subscribers hold 1,000
MAX_TRIES = 4  # of entries of playlists, nested ones included; the engine comes back anyway


class RadioSource(Source):
    """A station at an http or https address.

    Args:
        url: of a stream, a playlist of streams or an HLS playlist.
        policy: where it, and what it leads to, may be.
        charset: how its titles are encoded where they are not UTF-8.
    """

    live = True
    stall_s = 15.0  # of silence on the line: with a second to notice, `no-signal` comes within 20 s

    def __init__(self, url: str, *, policy: AddressPolicy, charset: str = "latin-1") -> None:
        check_url(url)
        self._url, self._charset = url, charset
        self._client = HttpClient(policy)
        self._responses: list[HttpResponse] = []
        self._audio: StreamDecoder | HlsStream | None = None
        self._tries = MAX_TRIES

    async def events(self) -> AsyncGenerator[SourceEvent, None]:
        """Give events until the station fails or ends; it never just stops."""
        audio, news, loop = Pacer(), Pacer(), asyncio.get_running_loop()
        async with aclosing(self._follow(self._url, MAX_DEPTH)) as events:
            async for event in events:
                yield event
                if isinstance(event, Block):
                    seconds = (len(event.samples) + event.skipped) / event.rate
                    wait_s = audio.wait_s(seconds, loop.time())
                else:
                    wait_s = news.wait_s(NEWS_S, loop.time())
                # Here and below: who waits for the next event keeps no samples of the last one.
                del event
                if wait_s:
                    await asyncio.sleep(wait_s)

    def skip(self, seconds: float) -> None:
        """Pass over the next so many seconds undecoded (`StreamDecoder.skip`)."""
        if self._audio is not None:
            self._audio.skip(seconds)

    def hurry(self) -> None:
        """Take what is there."""
        for response in self._responses:
            response.hurry()

    async def close(self) -> None:
        """Drop the connection."""
        while self._responses:
            self._responses.pop().close()

    async def _follow(self, url: str, depth: int) -> AsyncGenerator[SourceEvent, None]:
        """Listen to what is at an address, through playlists where it leads to such."""
        response = await self._client.fetch(url)
        self._responses.append(response)
        try:
            head = await response.read_some()
            kind = playlist_kind(head, content_type=response.content_type, url=response.url)
            if kind is None:
                async with aclosing(self._stream(response, head)) as events:
                    async for event in events:
                        yield event
                        del event
                return
            body = head + await response.read_all(MAX_PLAYLIST - len(head), PLAYLIST_S)
        finally:
            response.close()
            if response in self._responses:
                self._responses.remove(response)
        if playlist_kind(body) == "hls":
            self.stall_s = HLS_STALL_S
            self._audio = hls = HlsStream(response.url, body, self._client)
            async with aclosing(hls.events()) as events:
                async for event in events:
                    yield event
            return
        if depth == 0:
            raise SourceHttpError(
                f"{redact(self._url)}: playlists lead to playlists, more than {MAX_DEPTH} deep",
                remedy="give the address of the stream itself",
            )
        addresses = parse_playlist(body, kind, url=response.url)
        async with aclosing(self._first_that_answers(addresses, depth - 1)) as events:
            async for event in events:
                yield event

    async def _first_that_answers(
        self, addresses: list[str], depth: int
    ) -> AsyncGenerator[SourceEvent, None]:
        failure: SourceError | None = None
        for address in addresses:
            if self._tries == 0:
                break
            self._tries -= 1
            answered = False
            try:
                async with aclosing(self._follow(address, depth)) as events:
                    async for event in events:
                        answered = True
                        yield event
                        del event
            except SourceError as error:
                if answered:
                    raise
                failure = failure or error
        raise failure or SourceHttpError(
            f"{redact(self._url)}: none of the first {MAX_TRIES} streams of its playlists answers",
            remedy="give the address of the stream itself",
        )

    async def _stream(self, response: HttpResponse, head: bytes) -> AsyncGenerator[SourceEvent, None]:
        """Decode an endless stream, titles parted from audio."""
        name, bitrate = redact(response.url), _bitrate(response)
        decoder = StreamDecoder(name=name, content_type=response.content_type, bitrate=bitrate)
        self._audio = decoder
        metaint = parse_metaint(response.headers.get("icy-metaint", ""))
        icy = IcyReader(metaint, self._charset) if metaint else None
        meter = Meter(bitrate)
        data = head
        while data:
            meter.came(len(data))
            for part in icy.feed(data) if icy else (data,):
                if isinstance(part, Title):
                    yield part
                    continue
                for event in decoder.feed(part):
                    if isinstance(event, Block):
                        meter.heard((len(event.samples) + event.lost + event.skipped) / event.rate)
                    yield event
                    del event
            # Only now: what is wanted next was said while the last block was looked at.
            data = await response.read_some(*meter.window(self.wanted_s))
        for event in decoder.flush():
            yield event
        raise SourceEndedError(
            f"{name}: the server ended the stream", remedy="it is tried again by itself; check the encoder"
        )


def _bitrate(response: HttpResponse) -> int | None:
    """Bits per second as `icy-br` says them in kbit/s, sometimes twice."""
    said = response.headers.get("icy-br", "").partition(",")[0].strip()
    return int(said) * 1000 if said.isdecimal() and len(said) <= 5 and int(said) else None
