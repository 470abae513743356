import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import SourceUriError
from streamer.source.file import FileSource
from streamer.source.open import check_uri, open_source
from streamer.source.radio import RadioSource
from streamer.source.soundcard import SoundcardSource
from streamer.source.stdin import StdinSource


@pytest.mark.parametrize(
    ("uri", "kind", "live"),
    [
        ("soundcard:", SoundcardSource, True),
        ("soundcard:2", SoundcardSource, True),
        ("soundcard:USB Audio: #1?channel=2&rate=48000", SoundcardSource, True),
        ("http://radio.example:8000/live?x=1", RadioSource, True),
        ("HTTPS://radio.example/", RadioSource, True),
        ("http://[::1]:8000/live", RadioSource, True),
        ("http://bücher.example/live", RadioSource, True),
        ("file:/music/a.mp3", FileSource, False),
        ("file:///music/a%20b.mp3?pace=live", FileSource, False),
        ("file:a.mp3", FileSource, False),
        ("/music/what?.mp3", FileSource, False),
        ("./a:b.mp3", FileSource, False),
        ("a.mp3", FileSource, False),
        ("stdin:", StdinSource, False),
        ("stdin:?rate=44100&channels=2&format=s24le", StdinSource, False),
    ],
)
def test_a_uri_names_its_kind(uri: str, kind: type, live: bool) -> None:
    check_uri(uri)

    source = open_source(uri)

    assert isinstance(source, kind)
    assert source.live is live


@pytest.mark.parametrize(
    ("uri", "named", "remedy"),
    [
        ("", "empty", "URI"),
        ("rtsp://x/y", "rtsp", "soundcard:"),
        ("concat:/etc/passwd", "concat", "soundcard:"),
        ("http://", "no host", "http://host"),
        ("http://host:99999/", "port", "http://host"),
        ("http://ho st/", "white space", "http://host"),
        ("http://host/a\r\nX: y", "white space", "http://host"),
        ("file:", "no path", "path"),
        ("file://elsewhere/a.mp3", "another host", "file:///"),
        ("file:a.mp3?pace=fast", "pace = 'fast'", "max or live"),
        ("file:a.mp3?speed=2", "'speed'", "pace"),
        ("stdin:?format=mp3", "format = 'mp3'", "s16le"),
        ("stdin:?rate=0", "rate = '0'", "1000"),
        ("stdin:?rate=44.1k", "rate = '44.1k'", "1000"),
        ("stdin:?channels=9", "channels = '9'", "8"),
        ("stdin:?channels=2&channels=1", "twice", "once"),
        ("stdin:x", "stdin:x", "stdin:?rate"),
        ("soundcard:?channel=0", "channel = '0'", "1"),
        ("soundcard:?chanel=1", "'chanel'", "channel"),
        ("a\0b", "malformed", "URI"),
    ],
)
def test_a_malformed_uri_names_what_is_wrong_and_what_is_allowed(uri: str, named: str, remedy: str) -> None:
    with pytest.raises(SourceUriError) as caught:
        check_uri(uri)

    assert named in caught.value.message
    assert remedy in caught.value.remedy
    assert "\n" not in caught.value.message


def test_a_password_in_a_malformed_uri_is_not_shown() -> None:
    with pytest.raises(SourceUriError) as caught:
        check_uri("http://me:secret@host:port/?key=secret")

    assert "secret" not in caught.value.message + caught.value.remedy


@given(st.text(max_size=60))
def test_any_text_is_a_source_or_our_error(uri: str) -> None:
    for prefix in ("", "http://", "file:", "stdin:?", "soundcard:"):
        with contextlib.suppress(SourceUriError):
            check_uri(prefix + uri)


def test_adding_a_kind_needs_no_change_to_callers(tmp_path: Path) -> None:
    source = open_source(f"file:{tmp_path}/x%3F.mp3")

    assert isinstance(source, FileSource)
