"""HLS: a playlist that is read again and again, and the segments it names, as events without a seam.

`Follower` keeps count of segments (what is new, what was missed), `HlsStream` does the fetching.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from streamer.errors import NotAudioError, SourceEndedError, SourceError
from streamer.flow import Block, SourceEvent
from streamer.source.hls_playlist import (
    MAX_SEGMENT,
    MediaPlaylist,
    Part,
    Segment,
    parse_master,
    parse_media,
)
from streamer.source.http import HttpClient
from streamer.source.playlist import MAX_PLAYLIST
from streamer.source.segment import SegmentDecoder, demux
from streamer.text import redact

START_SEGMENTS = 3  # from the end, where RFC 8216 (6.3.3) says that live listening begins
MAX_INIT = 1024 * 1024
MIN_RELOAD_S = 1.0  # whatever the playlist says: a server is not to be hammered
FETCH_S = 15.0  # for a playlist or a segment, to its end
MAX_FAILURES = 3  # in a row; then the station is gone, not slow


@dataclass(slots=True)
class Follower:
    """Keeps count of segments from one reading of a playlist to the next."""

    next_sequence: int | None = None
    target_s: float = 6.0
    restarted: bool = False

    def take(self, playlist: MediaPlaylist) -> tuple[float, list[Segment]]:
        """Give how many seconds were missed, and the segments that are new."""
        segments = playlist.segments
        self.target_s = playlist.target_s
        self.restarted = False
        if not segments:
            return 0.0, []
        if self.next_sequence is not None and segments[-1].sequence < self.next_sequence - len(segments):
            self.next_sequence, self.restarted = None, True  # the packager began to count anew
        if self.next_sequence is None:
            new = segments if playlist.ended else segments[-START_SEGMENTS:]
            missed = 0
        else:
            missed = max(0, segments[0].sequence - self.next_sequence)
            new = [segment for segment in segments if segment.sequence >= self.next_sequence]
        self.next_sequence = segments[-1].sequence + 1 if new or missed else self.next_sequence
        return missed * playlist.target_s, new


class HlsStream:
    """Follows one HLS playlist.

    Args:
        url: of the playlist, after redirects.
        body: the playlist as it was just read.
        client: fetches what follows.
    """

    def __init__(self, url: str, body: bytes, client: HttpClient) -> None:
        self._url, self._body, self._client = url, body, client
        self._name = redact(url)
        self._decoder = SegmentDecoder(self._name)
        self._init: tuple[Part, bytes] | None = None
        self._lost_s = 0.0
        self._failures = 0

    def skip(self, seconds: float) -> None:
        """Pass over the next so many seconds undecoded (`StreamDecoder.skip`)."""
        self._decoder.skip(seconds)

    async def events(self) -> AsyncGenerator[SourceEvent, None]:
        """Give events until the playlist ends or fails; never just stops.

        Raises:
            SourceEndedError: the playlist says that it has ended.
            NotAudioError: it is encrypted, or no audio.
        """
        text = self._body.decode("utf-8", errors="replace")
        if variant := parse_master(text, self._url):
            self._url = variant
            text = await self._read_playlist()
        follower = Follower()
        while True:
            playlist = parse_media(text, self._url)
            missed_s, segments = follower.take(playlist)
            self._lost_s += missed_s
            if follower.restarted:
                self._decoder.restart()
            for segment in segments:
                async for event in self._segment(segment):
                    yield event
            if playlist.ended:
                raise SourceEndedError(f"{self._name}: the playlist has ended", remedy="start it again later")
            # RFC 8216 (6.3.4): wait one target duration after news, half of one without.
            await asyncio.sleep(max(follower.target_s if segments else follower.target_s / 2, MIN_RELOAD_S))
            text = await self._reload() or text

    async def _segment(self, segment: Segment) -> AsyncGenerator[SourceEvent, None]:
        if segment.discontinuity:
            self._decoder.restart()
        if segment.missing:
            self._lost_s += segment.duration_s
            return
        try:
            init = await self._read_init(segment.init) if segment.init else None
            data = await self._read(segment.part, MAX_SEGMENT)
            parts = demux(data, init, name=self._name)
            self._failures = 0
        except NotAudioError:
            raise
        except SourceError:
            self._failures += 1
            if self._failures >= MAX_FAILURES:
                raise
            self._lost_s += segment.duration_s
            return
        for event in self._decoder.decode(parts):
            yield self._with_lost(event)
            await asyncio.sleep(0)  # a segment is many slices: others have their turn between them

    def _with_lost(self, event: SourceEvent) -> SourceEvent:
        if isinstance(event, Block) and self._lost_s:
            event = replace(event, lost=event.lost + round(self._lost_s * event.rate))
            self._lost_s = 0.0
        return event

    async def _reload(self) -> str | None:
        try:
            text = await self._read_playlist()
        except SourceError:
            self._failures += 1
            if self._failures >= MAX_FAILURES:
                raise
            return None
        return text

    async def _read_playlist(self) -> str:
        body = await self._read(Part(self._url), MAX_PLAYLIST)
        return body.decode("utf-8", errors="replace")

    async def _read_init(self, part: Part) -> bytes:
        if self._init is None or self._init[0] != part:
            self._init = (part, await self._read(part, MAX_INIT))
        return self._init[1]

    async def _read(self, part: Part, limit: int) -> bytes:
        headers = {}
        if part.length is not None:
            headers["Range"] = f"bytes={part.offset}-{part.offset + part.length - 1}"
        response = await self._client.fetch(part.url, headers=headers)
        try:
            data = await response.read_all(limit, FETCH_S)
        finally:
            response.close()
        if part.length is not None and response.status != 206:  # the server has no ranges
            data = data[part.offset : part.offset + part.length]
        return data
