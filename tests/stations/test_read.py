"""Lists of stations: every kind is read with names and lines, hostile ones are refused with a sentence."""

import contextlib
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.errors import SourceHttpError, StationListError
from streamer.source.playlist import parse_playlist
from streamer.stations.read import MAX_BYTES, Listed, read_stations

M3U = """#EXTM3U
#EXTINF:-1 tvg-name="a, b" group-title="Jazz",Radio Été
http://one.example/
# a comment
https://two.example/
"""
PLS = """[playlist]
NumberOfEntries=2
Title2=Second
File1=http://one.example/
File2 = https://two.example/
Title1=First
"""
XSPF = """<?xml version="1.0"?>
<playlist xmlns="http://xspf.org/ns/0/"><title>All</title><trackList>
<track><title>First &amp; best</title><location>http://one.example/?a=1&amp;b=2</location></track>
<track>
<location>https://two.example/</location></track></trackList></playlist>
"""
OPML = """<?xml version="1.0" encoding="UTF-8"?>
<opml version="1"><head><title>Browse</title></head><body>
<outline text="Music"><outline text="Jazz">
<outline type="audio" text="One &amp; only" URL="http://one.example/" bitrate="128"/>
</outline></outline>
<outline type="link" text="More" URL="http://opml.example/Browse.ashx"/>
<outline type="rss" text="A feed" xmlUrl="http://feed.example/"/>
</body></opml>
"""
BROWSER = """[
{"name": " One ", "url": "http://one.example/a.m3u", "url_resolved": "http://one.example/", "codec": "MP3",
 "bitrate": 128, "countrycode": "DE", "tags": "jazz,blues", "stationuuid": "x"},
{"name": "Two", "url": "https://two.example/", "url_resolved": "", "bitrate": 0},
7, {"name": 5, "url": null}
]"""


@pytest.fixture
def read(tmp_path):
    def read(body: str | bytes, name: str = "list") -> list[Listed]:
        path = tmp_path / name
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
        return read_stations(path)

    return read


def test_m3u_has_names_in_extinf(read):
    assert read(M3U) == [Listed(3, "Radio Été", "http://one.example/"), Listed(5, "", "https://two.example/")]


def test_m3u_in_latin_1_is_read(read):
    assert read(M3U.encode("latin-1"))[0].name == "Radio Été"


def test_a_bare_list_of_addresses_is_m3u(read):
    assert [listed.url for listed in read("http://one.example/\nhttp://two.example/\n")] == [
        "http://one.example/",
        "http://two.example/",
    ]


def test_pls_has_names_by_number(read):
    assert read(PLS) == [
        Listed(4, "First", "http://one.example/"),
        Listed(5, "Second", "https://two.example/"),
    ]


def test_xspf_has_names_by_track(read):
    assert read(XSPF) == [
        Listed(3, "First & best", "http://one.example/?a=1&b=2"),
        Listed(5, "", "https://two.example/"),
    ]


def test_opml_is_read_at_any_depth_and_what_is_no_station_is_said(read):
    one, link, feed = read(OPML)

    assert one == Listed(4, "One & only", "http://one.example/", "Music, Jazz")
    assert (link.line, link.wrong) == (6, "leads to another list, not to a station")
    assert (feed.line, feed.wrong) == (7, "a feed, not a station")


def test_radio_browser_json_has_lines_and_prefers_what_was_resolved(read):
    one, two, number, nothing = read(BROWSER)

    assert one == Listed(2, "One", "http://one.example/", "DE, MP3 128 kbit/s, jazz blues")
    assert (two.line, two.url) == (4, "https://two.example/")
    assert (number.line, number.wrong) == (5, "no object")
    assert (nothing.line, nothing.name, nothing.url) == (5, "", "")


BOMB = '<!DOCTYPE o [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><opml><body text="&b;"/></opml>'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BOMB, "document type"),
        ('<!DOCTYPE o SYSTEM "file:///etc/passwd"><opml/>', "document type"),
        ("<opml>" + "<outline>" * 100_000, "nested deeper"),
        ("<opml><outline></opml>", "line 1: no XML"),
        ("[" * 100_000, "nested too deep"),
        ('[{"a":' * 100_000, "nested too deep"),
        ('[\n{"name": "x"', "line 2: no JSON"),
        ('[{"name": ' + "9" * 10_000 + "}]", "no JSON"),
        ('{"name": "x"}', "a list"),
        ("#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:6,\na.ts\n", "HLS"),
        ("", "no list"),
        (b"\x00\x01\x02" * 100, "no list"),
        (b" " * (MAX_BYTES + 1), "10 MB"),
    ],
)
def test_what_is_hostile_or_no_list_is_refused_with_a_sentence(read, body, words):
    with pytest.raises(StationListError) as caught:
        read(body)

    assert words in caught.value.message
    assert len(caught.value.message) < 300


def test_what_can_not_be_opened_is_refused_with_a_sentence(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(StationListError, match="can't be read"):
            read_stations(path)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([M3U, PLS, XSPF, OPML, BROWSER]), st.data())
def test_a_mutated_list_is_read_or_refused(tmp_path_factory, text, data):
    body = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / "mutated"
    path.write_bytes(body)

    try:
        found = read_stations(path)
    except StationListError:
        return

    assert all(1 <= listed.line <= body.count(b"\n") + 9 for listed in found)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("xspf", b"<location>" + b" " * 250_000 + b"x"),
        ("xspf", b"<track " * 35_000),
        ("pls", b"File1=a" + b" " * 250_000 + b"b\nx"),
        ("pls", b" " * 125_000 + b"\n" * 125_000),
        ("m3u", b"#EXTINF:1" + b' a="" ' * 40_000 + b"\n"),
    ],
)
def test_a_hostile_playlist_takes_no_time(kind, body):
    started = time.perf_counter()

    with contextlib.suppress(SourceHttpError):
        parse_playlist(body, kind, url="http://h/")

    assert time.perf_counter() - started < 10  # backtracking would take hours


def test_a_large_list_is_read_quickly(read):
    stations = [
        {"name": f"Station {i}", "url": f"http://h{i}.example/", "tags": "x" * 50} for i in range(20_000)
    ]
    started = time.perf_counter()

    assert len(read(json.dumps(stations, indent=1))) == 20_000
    assert time.perf_counter() - started < 20
