"""What a server may send, and how much of it: each limit with what lies beyond it."""

import asyncio
import contextlib
import time

import pytest
from loopback import Handler, listen, ok, pages, serve
from test_icy import interleave
from tones import encode, formats_of, samples_of

from streamer.errors import NotAudioError, SourceEndedError, SourceError, SourceHttpError
from streamer.flow import SourceEvent, Title
from streamer.source import response
from streamer.source.decode import StreamDecoder
from streamer.source.hls_playlist import MAX_SEGMENT, MAX_SEGMENTS, parse_media
from streamer.source.icy import IcyReader, parse_metaint
from streamer.source.id3 import id3_title, split_id3
from streamer.source.open import open_source
from streamer.source.packets import DECODERS, PacketDecoder
from streamer.source.playlist import MAX_ENTRIES, MAX_PLAYLIST, parse_playlist
from tests.fuzz.streams import sound

pytestmark = pytest.mark.slow  # each starts processes or waits; together too long for `make quick`

URL = "http://radio.example/live.m3u8"


def hear(handler: Handler) -> tuple[list[SourceEvent], Exception | None]:
    async def run() -> tuple[list[SourceEvent], Exception | None]:
        async with serve(handler) as base:
            return await listen(open_source(f"{base}/live"))

    return asyncio.run(asyncio.wait_for(run(), 30))


def test_many_headers_are_refused_and_a_hundred_are_not() -> None:
    fields = [f"X-{number}: y" for number in range(100)]

    _, fine = hear(pages({"/live": ok(encode("mp3"), "audio/mpeg", *fields)}))
    _, error = hear(pages({"/live": ok(encode("mp3"), "audio/mpeg", *fields, *fields)}))

    assert isinstance(fine, SourceEndedError)
    assert isinstance(error, SourceHttpError)
    assert "headers" in error.message


def test_informational_answers_without_end_are_not_waited_out() -> None:
    _, error = hear(pages({"/live": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000}))

    assert isinstance(error, SourceHttpError)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "BR"])
def test_a_compressed_body_is_refused_and_never_unpacked(encoding: str) -> None:
    _, error = hear(pages({"/live": ok(encode("mp3"), "audio/mpeg", f"Content-Encoding: {encoding}")}))

    assert isinstance(error, SourceHttpError)
    assert "compressed" in error.message


def test_gzip_that_is_not_called_so_is_no_audio() -> None:
    _, error = hear(pages({"/live": ok(b"\x1f\x8b\x08" + bytes(2000))}))

    assert isinstance(error, NotAudioError)
    assert "gzip" in error.message


def chunked(chunks: list[bytes]) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def test_chunks_of_one_byte_give_what_one_chunk_gives_at_no_more_events() -> None:
    audio = encode("mp3")

    whole, _ = hear(pages({"/live": chunked([audio])}))
    crumbs, error = hear(pages({"/live": chunked([bytes([byte]) for byte in audio])}))

    assert isinstance(error, SourceEndedError)
    assert (samples_of(crumbs) == samples_of(whole)).all()
    assert len(crumbs) < 20


@pytest.mark.parametrize("size", [b"-1", b"0x10", b"f" * 30, b"5;" + b"x" * 20_000, b"zz", b""])
def test_a_chunk_whose_size_makes_no_sense_ends_the_connection(size: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    _, error = hear(pages({"/live": head + size + b"\r\n" + bytes(100)}))

    assert isinstance(error, SourceError)


@pytest.mark.parametrize(
    "fields", [["Content-Length: 5", "Content-Length: 6"], ["Transfer-Encoding: gzip, chunked"]]
)
def test_framing_that_can_be_read_in_two_ways_is_refused(fields: list[str]) -> None:
    answer = "\r\n".join(["HTTP/1.1 200 OK", *fields, "", ""]).encode() + bytes(100)

    _, error = hear(pages({"/live": answer}))

    assert isinstance(error, SourceHttpError)


def test_a_flood_is_slowed_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ogg pages that belong to nothing: bytes without audio, which no pace of audio would hold back."""
    monkeypatch.setattr(response, "MAX_BYTES_S", 100_000)
    monkeypatch.setattr(response, "BURST_S", 1.0)
    page = b"OggS\0\x02" + bytes(12) + b"\0\0\0\0" + bytes(4) + b"\xff" * 1 + b"\xff" * 255
    sent = 0

    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(ok(b""))
        while True:
            writer.write((page + bytes(255 * 255)) * 4)
            sent += 4 * (len(page) + 255 * 255)
            await writer.drain()

    async def run() -> None:
        async with serve(handler) as base:
            task = asyncio.create_task(listen(open_source(f"{base}/live")))
            await asyncio.wait([task], timeout=2.0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    begun = time.monotonic()
    asyncio.run(run())

    # What was read, and what waits in the buffers of both ends of the connection.
    assert sent < 100_000 * (1 + 1.25 * (time.monotonic() - begun)) + 12_000_000


def test_a_playlist_has_a_size_and_a_count() -> None:
    lines = "".join(f"http://radio.example/{number}\n" for number in range(1000)).encode()

    assert len(parse_playlist(lines, "m3u", url=URL)) == MAX_ENTRIES
    _, error = hear(pages({"/live": ok(b"#EXTM3U\n" + b"#" * MAX_PLAYLIST, "audio/x-mpegurl")}))
    assert isinstance(error, SourceHttpError)
    assert "more than" in error.message


def test_an_hls_playlist_has_a_count_and_its_byte_ranges_a_size() -> None:
    text = "#EXTM3U\n" + "#EXTINF:1,\na\n" * (MAX_SEGMENTS + 5)
    ranges = "#EXTM3U\n#EXTINF:1,\n#EXT-X-BYTERANGE:99999999999@0\na\n"

    assert len(parse_media(text, URL).segments) == MAX_SEGMENTS
    assert parse_media(ranges, URL).segments[0].part.length == MAX_SEGMENT


def test_titles_may_not_be_most_of_a_stream() -> None:
    assert parse_metaint("1") is None
    assert parse_metaint("256") == 256


def test_a_station_cannot_flood_subscribers_with_titles() -> None:
    """A new title after each 256 bytes of audio would be 60 a second, and thousands at the start."""
    titles = [b"StreamTitle='%d';" % number for number in range(90)]
    body = interleave(encode("mp3"), 256, titles)

    async def run() -> int:
        heard = 0
        async with serve(pages({"/live": ok(body, "audio/mpeg", "icy-metaint: 256")})) as base:
            source = open_source(f"{base}/live")
            try:
                async with asyncio.timeout(2.0):
                    async for event in source.events():
                        heard += isinstance(event, Title)
            except TimeoutError:
                pass
            finally:
                await source.close()
        return heard

    assert 20 < asyncio.run(run()) < 40


def test_an_icy_block_is_bounded_by_its_length_byte() -> None:
    reader = IcyReader(256)

    list(reader.feed(bytes(256) + b"\xff" + b"x" * 4000))

    assert len(reader._meta) == 4000
    list(reader.feed(b"x" * 80))
    assert not reader._meta


@pytest.mark.parametrize("codec", ["wmav2", "pcm_s16le", "h264", "ape", "concat"])
def test_a_codec_that_is_not_on_the_list_never_reaches_ffmpeg(codec: str) -> None:
    assert codec not in DECODERS
    with pytest.raises(NotAudioError):
        PacketDecoder(codec, name="test")


def test_eight_channels_are_heard() -> None:
    """PyAV gives such a frame a ninth plane, whose address is nobody's."""
    decoder = StreamDecoder(name="test")

    events = [*decoder.feed(sound("aac", "adts", layout="7.1")), *decoder.flush()]

    assert formats_of(events)[0].channels == 8
    assert samples_of(events).shape[1] == 8
    assert samples_of(events).any(axis=0).all()


def test_a_rate_that_nobody_broadcasts_at_is_no_audio() -> None:
    decoder = StreamDecoder(name="test")

    with pytest.raises(NotAudioError, match="384000 Hz"):
        list(decoder.feed(sound("flac", "ogg", rate=384_000, layout="mono")))


FLOODS = {
    "attribute": ("hls", b"#EXT-X-MAP:" + b"A" * 250_000),
    "attributes": ("hls", b"#EXT-X-MAP:" + b"A-" * 125_000),
    "title": ("m3u", b"#EXTM3U\n#EXTINF:" + b" " * 250_000 + b"x"),
    "titles": ("m3u", b"#EXTM3U\n#EXTINF:1" + b' a="" ' * 40_000 + b"x"),
    "blank lines": ("pls", b"[playlist]\n" + b"\n" * 250_000),
    "spaces": ("pls", b"[playlist]\nFile1=x" + b" " * 250_000 + b"y"),
    "location": ("xspf", b'<playlist xmlns="http://xspf.org/ns/0/"><location>' + b" " * 250_000),
    "locations": ("xspf", b'<playlist xmlns="http://xspf.org/ns/0/">' + b"<location> " * 22_000),
}


@pytest.mark.parametrize("name", FLOODS)
def test_no_playlist_takes_time_by_the_square_of_its_size(name: str) -> None:
    kind, body = FLOODS[name]
    begun = time.process_time()

    with contextlib.suppress(SourceError):
        if kind == "hls":
            parse_media("#EXTM3U\n" + body.decode(), URL)
        else:
            parse_playlist(body, kind, url=URL)  # type: ignore[arg-type]

    assert time.process_time() - begun < 2.0


def test_of_tags_and_what_is_in_them_only_so_many_are_looked_at() -> None:
    tag, frame = b"ID3\x04\0\0\0\0\0\0", b"TXXX" + bytes(6)
    begun = time.process_time()

    assert split_id3(tag * 1_000_000 + b"rest")[0] is None
    assert id3_title(b"ID3\x04\0\0\x07\x7f\x7f\x7f" + frame * 1_000_000) is None

    assert time.process_time() - begun < 1.0


@pytest.mark.parametrize("rubbish", [b"OggS\1", b"OggS", b"\xff", b"\xff\xfb\x90", b"ID3\x04\0\0\0\0\0\0"])
def test_rubbish_in_small_pieces_is_given_up_soon(rubbish: bytes) -> None:
    data = rubbish * (400_000 // len(rubbish))
    decoder = StreamDecoder(name="test")
    begun = time.process_time()

    with contextlib.suppress(SourceError):
        for at in range(0, len(data), 400):
            list(decoder.feed(data[at : at + 400]))

    assert time.process_time() - begun < 5.0
