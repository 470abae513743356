import asyncio
import io

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import listen, ok, serve
from tones import encode, formats_of, pitch_hz, samples_of, titles_of

from streamer.errors import NotAudioError, SourceEndedError, SourceError, SourceHttpError
from streamer.flow import Block, SourceEvent
from streamer.source.hls import Follower
from streamer.source.hls_playlist import MediaPlaylist, Part, Segment, parse_master, parse_media
from streamer.source.id3 import id3_title, split_id3
from streamer.source.open import open_source
from streamer.source.segment import Demuxed, SegmentDecoder, demux

URL = "http://radio.example/hls/live.m3u8"


def playlist(first: int, count: int, *, ended: bool = False) -> MediaPlaylist:
    segments = [Segment(Part(f"http://x/{n}.ts"), n, 6.0) for n in range(first, first + count)]
    return MediaPlaylist(6.0, segments, ended)


def test_a_follower_begins_near_the_end_and_takes_each_segment_once() -> None:
    follower = Follower()

    assert [s.sequence for s in follower.take(playlist(100, 10))[1]] == [107, 108, 109]
    assert follower.take(playlist(100, 10)) == (0.0, [])
    assert [s.sequence for s in follower.take(playlist(102, 10))[1]] == [110, 111]


def test_segments_that_were_missed_are_counted_in_seconds() -> None:
    follower = Follower()
    follower.take(playlist(100, 10))

    missed_s, segments = follower.take(playlist(115, 4))

    assert missed_s == 5 * 6.0
    assert [s.sequence for s in segments] == [115, 116, 117, 118]


def test_a_packager_that_counts_anew_is_followed() -> None:
    follower = Follower()
    follower.take(playlist(1000, 5))

    missed_s, segments = follower.take(playlist(0, 5))

    assert follower.restarted
    assert missed_s == 0
    assert [s.sequence for s in segments] == [2, 3, 4]


def test_a_finished_list_is_taken_from_its_beginning() -> None:
    assert len(Follower().take(playlist(0, 10, ended=True))[1]) == 10


def test_of_variants_audio_alone_is_taken_and_good_enough() -> None:
    master = """#EXTM3U
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS="avc1.4d401f,mp4a.40.2"
video.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=48000,CODECS="mp4a.40.5"
low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=128000,CODECS="mp4a.40.2"
good.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=320000,CODECS="mp4a.40.2"
best.m3u8
"""
    assert parse_master(master, URL) == "http://radio.example/hls/good.m3u8"


def test_an_audio_rendition_is_taken_before_video_and_the_lowest_bandwidth_before_nothing() -> None:
    rendition = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="x",URI="/other.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="y",DEFAULT=YES,URI="/audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2000000,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"
video.m3u8
"""
    bare = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\na.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=5\nb.m3u8\n"

    assert parse_master(rendition, URL) == "http://radio.example/audio.m3u8"
    assert parse_master(bare, URL) == "http://radio.example/hls/b.m3u8"
    assert parse_master("#EXTM3U\n#EXTINF:6,\na.ts\n", URL) is None


def test_byte_ranges_follow_one_another() -> None:
    text = """#EXTM3U
#EXT-X-MAP:URI="a.mp4",BYTERANGE="700@0"
#EXTINF:6,
#EXT-X-BYTERANGE:1000@700
a.mp4
#EXTINF:6,
#EXT-X-BYTERANGE:500
a.mp4
#EXT-X-ENDLIST
"""
    media = parse_media(text, URL)

    assert [(s.part.offset, s.part.length) for s in media.segments] == [(700, 1000), (1700, 500)]
    assert media.segments[0].init == Part("http://radio.example/hls/a.mp4", 0, 700)


def test_encryption_is_refused_in_words() -> None:
    with pytest.raises(NotAudioError, match="encrypted"):
        parse_media('#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:6,\na.ts\n', URL)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "concat:a|b", "data:,x", "//[::1"])
def test_only_http_is_followed(address: str) -> None:
    with pytest.raises(SourceHttpError):
        parse_media(f"#EXTM3U\n#EXTINF:6,\n{address}\n", URL)


@given(st.text(st.sampled_from('#EXT-XINFMAPKEY:=",.@0123456789\n/a-'), max_size=400))
def test_any_playlist_is_read_or_refused(text: str) -> None:
    try:
        parse_master(text, URL)
        parse_media("#EXTM3U\n" + text, URL)
    except SourceError:
        pass


def id3(artist: str, title: str) -> bytes:
    frames = b""
    for key, text in ((b"TPE1", artist), (b"TIT2", title)):
        body = b"\x03" + text.encode() + b"\0"
        frames += key + len(body).to_bytes(4, "big") + b"\0\0" + body
    return b"ID3\x04\0\0" + bytes([0, 0, len(frames) >> 7, len(frames) & 127]) + frames


def test_titles_in_id3_are_read() -> None:
    assert id3_title(id3("Kraftwerk", "Autobahn")) == "Kraftwerk - Autobahn"
    assert split_id3(id3("A", "B") + b"rest") == ("A - B", b"rest")


@given(st.binary(max_size=200))
def test_no_id3_tag_fails(body: bytes) -> None:
    id3_title(b"ID3\x03\0\0\0\0\x01\x48" + body)
    split_id3(b"ID3\x04\0\0\0\0\0\x10" + body)


def test_packed_audio_goes_on_over_segments_with_gaps_counted_and_titles_read() -> None:
    data = encode("aac", seconds=6.0)
    third = len(data) // 3  # segments need not end where a frame does
    parts = [data[:third], data[third : 2 * third], data[2 * third :]]
    listing = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:{}\n"
    listings = [
        listing.format(1) + "#EXTINF:2,\n/1.aac\n",
        listing.format(1) + "#EXTINF:2,\n/1.aac\n#EXTINF:2,\n/2.aac\n",
        listing.format(7) + "#EXTINF:2,\n/3.aac\n#EXT-X-ENDLIST\n",
    ]
    asked = 0

    async def handler(head: str, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        path = head.split(" ")[1]
        if path == "/live.m3u8":
            writer.write(ok(listings[min(asked, 2)].encode(), "application/vnd.apple.mpegurl"))
            asked += 1
        else:
            number = int(path[1])
            writer.write(ok(id3("Artist", f"Song {number}") + parts[number - 1], "audio/aac"))

    async def run() -> list[SourceEvent]:
        async with serve(handler) as base:
            events, error = await listen(open_source(f"{base}/live.m3u8"))
        assert isinstance(error, SourceEndedError)
        return events

    events = asyncio.run(asyncio.wait_for(run(), 30))

    samples = samples_of(events)
    assert titles_of(events) == ["Artist - Song 1", "Artist - Song 2", "Artist - Song 3"]
    assert len(formats_of(events)) == 1
    assert abs(len(samples) / 48_000 - 6) < 0.2
    assert abs(pitch_hz(samples[10_000:200_000, 0], 48_000) - 440) < 1
    assert sum(event.lost for event in events if isinstance(event, Block)) == 4 * 1 * 48_000


def demuxed_mp4() -> Demuxed:
    """AAC without headers, as fMP4 segments hold it."""
    with av.open(io.BytesIO(encode("m4a", seconds=6.0))) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
        return Demuxed("aac", container.streams.audio[0].codec_context.extradata, packets, [])


@pytest.mark.parametrize("kind", ["packed", "mp4"])
def test_a_skip_goes_on_over_segments_and_discontinuities(kind: str) -> None:
    whole = demux(encode("aac", seconds=6.0), None, name="test") if kind == "packed" else demuxed_mp4()
    decoder = SegmentDecoder("test")
    blocks: list[Block] = []

    for _ in range(4):
        for event in decoder.decode(whole):
            if isinstance(event, Block):
                blocks.append(event)
                decoder.skip(15.0 if len(blocks) == 1 else 0.0)
        decoder.restart()

    seconds = sum((len(block.samples) + block.skipped) / block.rate for block in blocks)
    assert abs(seconds - 4 * 6) < 0.3
    assert abs(sum(block.skipped / block.rate for block in blocks) - 15) < 0.1
    assert not any(block.lost for block in blocks)


def test_a_segment_of_a_codec_that_ffmpeg_does_not_know_is_no_audio() -> None:
    with pytest.raises(NotAudioError):
        demux(encode("m4a").replace(b"mp4a", b"zzzz").replace(b"esds", b"zzzz"), None, name="test")
