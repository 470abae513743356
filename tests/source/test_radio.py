import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loopback import Handler, listen, ok, pages, redirect, serve
from test_icy import interleave
from tones import encode, formats_of, pitch_hz, samples_of, titles_of

from streamer.errors import (
    NotAudioError,
    SourceConnectionError,
    SourceEndedError,
    SourceError,
    SourceHttpError,
    SourceNotFoundError,
)
from streamer.flow import SourceEvent
from streamer.source import http
from streamer.source.open import open_source
from streamer.source.pace import AHEAD_S, Pacer
from streamer.text import redact


def hear(
    handler: Handler, path: str = "/live", *, until_s: float = 1e9, user: str = "", charset: str = "latin-1"
) -> tuple[list[SourceEvent], Exception | None]:
    """Serve, listen to a path, give events and error."""

    async def run() -> tuple[list[SourceEvent], Exception | None]:
        async with serve(handler) as base:
            url = base.replace("//", f"//{user}") + path
            return await listen(open_source(url, charset=charset), until_s=until_s)

    return asyncio.run(asyncio.wait_for(run(), 60))


def test_a_stream_is_heard_and_its_end_is_an_error_not_an_end() -> None:
    events, error = hear(pages({"/live": ok(encode("mp3"), "audio/mpeg", "icy-br: 128,128")}))

    assert abs(pitch_hz(samples_of(events)[10_000:50_000, 0], 48_000) - 440) < 1
    assert formats_of(events)[0].bitrate == 128_000
    assert isinstance(error, SourceEndedError)
    assert not error.final


def test_icy_titles_are_parted_from_the_audio() -> None:
    body = interleave(encode("mp3"), 4000, [b"StreamTitle='K\xf6ln - Song';", b""])

    events, _ = hear(pages({"/live": ok(body, "audio/mpeg", "icy-metaint: 4000")}))

    assert titles_of(events) == ["Köln - Song"]
    assert abs(pitch_hz(samples_of(events)[10_000:50_000, 0], 48_000) - 440) < 1


def test_the_reply_of_old_shoutcast_is_understood() -> None:
    head = b"ICY 200 OK\r\nicy-notice1:<BR>Hello\r\nicy-name:K\xf6ln\r\ncontent-type:audio/mpeg\r\n\r\n"

    events, error = hear(pages({"/live": head + encode("mp3")}))

    assert len(samples_of(events)) > 60_000
    assert isinstance(error, SourceEndedError)


def test_the_request_asks_for_titles_and_nothing_compressed_and_carries_the_password() -> None:
    heads: list[str] = []

    async def handler(head: str, writer: asyncio.StreamWriter) -> None:
        heads.append(head.lower())
        writer.write(ok(encode("mp3")))

    hear(handler, user="me:se%20cret@")

    assert "icy-metadata: 1" in heads[0]
    assert "accept-encoding: identity" in heads[0]
    assert "user-agent: genrecast/" in heads[0]
    assert "authorization: basic bwu6c2ugy3jlda==" in heads[0]
    assert "se%20cret" not in heads[0]


def test_a_password_is_not_sent_to_another_host() -> None:
    heads: list[str] = []

    async def run() -> None:
        async def other(head: str, writer: asyncio.StreamWriter) -> None:
            heads.append(head.lower())
            writer.write(ok(encode("mp3")))

        async with serve(other) as elsewhere, serve(pages({"/live": redirect(f"{elsewhere}/x")})) as base:
            await listen(open_source(base.replace("//", "//me:secret@") + "/live"))

    asyncio.run(run())

    assert heads
    assert "authorization" not in heads[0]


def test_redirects_are_followed_five_deep_and_no_deeper() -> None:
    chain = {f"/{n}": redirect(f"/{n + 1}") for n in range(6)} | {"/6": ok(encode("mp3"))}

    events, _ = hear(pages(chain), "/1")
    _, error = hear(pages(chain), "/0")
    _, loop = hear(pages({"/a": redirect("/a")}), "/a")

    assert len(samples_of(events)) > 60_000
    assert isinstance(error, SourceHttpError)
    assert isinstance(loop, SourceHttpError)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x/", "//[::1", ""])
def test_a_redirect_elsewhere_than_http_is_refused(target: str) -> None:
    _, error = hear(pages({"/live": redirect(target)}))

    assert isinstance(error, SourceError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, SourceNotFoundError), (410, SourceNotFoundError), (401, SourceHttpError), (500, SourceHttpError)],
)
def test_a_status_is_an_error_that_is_tried_again(status: int, kind: type[SourceError]) -> None:
    answer = f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode()

    _, error = hear(pages({"/live": answer}))

    assert isinstance(error, kind)
    assert str(status) in error.message
    assert not error.final


@pytest.mark.parametrize(
    "answer", [b"\x00\x01\x02 rubbish\r\n\r\n" * 100, b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 200 OK\r\nX"]
)
def test_what_is_no_http_is_said_to_be_so(answer: bytes) -> None:
    _, error = hear(pages({"/live": answer}))

    assert isinstance(error, SourceHttpError)


def test_endless_headers_end_at_16_kib() -> None:
    sent = 0

    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: " + b"x" * 1000 + b"\r\n")
            sent += 1010
            await writer.drain()

    _, error = hear(handler)

    assert isinstance(error, SourceHttpError)
    assert sent < 20_000_000


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEADER_S", 0.2)

    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    begun = time.monotonic()
    _, error = hear(handler)

    assert isinstance(error, SourceConnectionError)
    assert time.monotonic() - begun < 5
    assert http.CONNECT_S + http.HEADER_S <= 20


def test_a_refused_connection_and_an_unknown_host_are_told_apart() -> None:
    async def run(url: str) -> Exception | None:
        return (await listen(open_source(url)))[1]

    assert isinstance(asyncio.run(run("http://127.0.0.1:1/x")), SourceConnectionError)
    assert isinstance(asyncio.run(run("http://no-such-host.invalid/x")), SourceNotFoundError)


def test_a_server_without_tls_behind_https_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECT_S", 0.3)

    async def run() -> Exception | None:
        async with serve(pages({})) as base:
            return (await listen(open_source(base.replace("http:", "https:"))))[1]

    error = asyncio.run(run())

    assert isinstance(error, SourceConnectionError)


def test_a_web_page_is_no_audio() -> None:
    page = b"<!DOCTYPE html><html><body>" + b"<p>Our player</p>" * 100

    _, error = hear(pages({"/live": ok(page, "text/html")}))

    assert isinstance(error, NotAudioError)
    assert "text/html" in error.message


PLAYLISTS = {
    "/a.m3u": ok(b"#EXTM3U\n#EXTINF:-1,Station\n/gone\n/live\n", "audio/x-mpegurl"),
    "/plain": ok(b"/live\r\n", "audio/x-mpegurl"),
    "/a.pls": ok(b"[playlist]\nNumberOfEntries=2\nFile1=/gone\nFile2=/live\nTitle1=x\n", "audio/x-scpls"),
    "/a.xspf": ok(
        b'<?xml version="1.0"?><playlist xmlns="http://xspf.org/ns/0/"><trackList><track>'
        b"<location>/live</location></track></trackList></playlist>",
        "application/xspf+xml",
    ),
    "/nested": ok(b"[playlist]\nFile1=/a.m3u\n", "text/plain"),
}


@pytest.mark.parametrize("path", PLAYLISTS)
def test_playlists_lead_to_the_stream(path: str) -> None:
    events, _ = hear(pages({**PLAYLISTS, "/live": ok(encode("mp3"))}), path)

    assert len(samples_of(events)) > 60_000


def test_playlists_without_end_end() -> None:
    _, error = hear(pages({"/a.m3u": ok(b"#EXTM3U\n/a.m3u\n", "audio/x-mpegurl")}), "/a.m3u")

    assert isinstance(error, SourceHttpError)


def test_a_playlist_of_files_opens_none() -> None:
    playlist = b"#EXTM3U\nfile:///etc/passwd\nconcat:/etc/passwd\nrtmp://127.0.0.1/x\n"

    _, error = hear(pages({"/a.m3u": ok(playlist, "audio/x-mpegurl")}), "/a.m3u")

    assert isinstance(error, SourceHttpError)
    assert "without any http" in error.message


def test_a_huge_playlist_is_not_read_to_its_end() -> None:
    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(b"#EXTM3U\n", "audio/x-mpegurl"))
        while True:
            writer.write(b"# more and more\n" * 1000)
            await writer.drain()

    _, error = hear(handler)

    assert isinstance(error, SourceHttpError)
    assert "more than" in error.message


@given(
    user=st.text(st.characters(categories=["L", "N"]), min_size=5, max_size=20),
    secret=st.text(st.characters(categories=["L", "N"]), min_size=5, max_size=20),
)
def test_no_secret_is_left_in_a_redacted_url(user: str, secret: str) -> None:
    for url in (
        f"http://{user}:{secret}@radio.example:8000/live?token={secret}#{secret}",
        f"http://{user}:{secret}@radio.example:port/live?token={secret}",
        f"http://{user}:{secret}@[::1/live?token={secret}",
    ):
        shown = redact(url)

        assert secret not in shown
        assert user not in shown


@pytest.mark.parametrize(
    "url", ["http://a\x1b[2Jb/", "http://x/\x9b31m", "http://\u202e.example/", "http://[\x07"]
)
def test_a_redacted_url_hurts_no_terminal(url: str) -> None:
    assert redact(url).isprintable()


def test_errors_name_the_station_without_its_secrets() -> None:
    _, error = hear(pages({}), "/live?key=hidden", user="me:secret@")

    assert isinstance(error, SourceError)
    assert "127.0.0.1" in error.message
    for secret in ("secret", "hidden"):
        assert secret not in error.message + error.remedy


def test_closing_ends_a_source_that_waits() -> None:
    async def handler(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(ok(encode("mp3")))
        await asyncio.Event().wait()

    async def run() -> Exception | None:
        async with serve(handler) as base:
            source = open_source(f"{base}/live")
            task = asyncio.create_task(listen(source))
            while not source._responses:
                await asyncio.sleep(0.01)
            await source.close()
            return (await task)[1]

    assert isinstance(asyncio.run(asyncio.wait_for(run(), 10)), SourceError)


def test_a_pacer_lets_a_burst_through_then_holds_to_real_time() -> None:
    pacer = Pacer()

    assert pacer.wait_s(AHEAD_S, now=0.0) == 0.0
    assert pacer.wait_s(12.5, now=0.0) == pytest.approx(10.0)


def test_a_pacer_never_holds_back_a_sender_whose_clock_is_a_little_fast() -> None:
    pacer = Pacer()
    pacer.wait_s(20.0, now=0.0)

    waits = [pacer.wait_s(1.01, now=float(second)) for second in range(1, 100_000)]

    assert max(waits) == 0.0
