"""The synthetic radio sends what a station sends, when it is due."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bench.content import Content
from bench.mounts import METAINT, Client, lay_out, with_titles
from streamer.flow import Title
from streamer.source.icy import IcyReader

pytestmark = pytest.mark.slow  # it sends in real time

ROOT = Path(__file__).parents[2]


@pytest.fixture
def content() -> Content:
    """Four units of half a second: aa, bbbb, c, ddd."""
    titles = [(0.0, "one"), (1.0, "two")]
    return Content("mp3-44100", b"aabbbbcddd", [0, 2, 6, 7, 10], [0.0, 0.5, 1.0, 1.5, 2.0], 0, titles)


def sent(content: Content, first: int, last: int) -> bytes:
    return b"".join(content.parts(first, last))


def test_unit_is_on_air_once_it_has_ended(content: Content) -> None:
    assert [content.aired(second) for second in (0.0, 0.49, 0.5, 1.99, 2.0, 5.1)] == [0, 0, 1, 3, 4, 10]


def test_second_of_a_unit_goes_on_from_round_to_round(content: Content) -> None:
    assert [content.second(unit) for unit in (0, 1, 4, 9)] == [0.0, 0.5, 2.0, 4.5]


def test_units_follow_one_another_over_the_end_of_a_round(content: Content) -> None:
    assert sent(content, 1, 3) == b"bbbbc"
    assert sent(content, 3, 9) == b"ddd" + b"aabbbbcddd" + b"aa"
    assert sent(content, 5, 5) == b""


def test_title_is_that_of_the_moment(content: Content) -> None:
    assert [content.title(second) for second in (0.2, 1.2, 2.1)] == ["one", "two", "one"]


def test_titles_are_read_by_the_streamer_and_the_audio_stays_whole() -> None:
    audio = bytes(n % 251 for n in range(3 * METAINT + 100))
    client = Client(None, 0.0, 0, 0, METAINT)  # type: ignore[arg-type]
    pieces = [memoryview(audio[at : at + 1000]) for at in range(0, len(audio), 1000)]
    mixed = b"".join(
        bytes(part)
        for number, piece in enumerate(pieces)
        for part in with_titles(client, [piece], "one" if number < 20 else "two")
    )

    heard = list(IcyReader(METAINT).feed(mixed))

    assert b"".join(part for part in heard if isinstance(part, bytes)) == audio
    assert [part.text for part in heard if isinstance(part, Title)] == ["one", "two"]


def test_stations_begin_at_other_places_and_phases(content: Content) -> None:
    stations = lay_out([content], 50, 0.1)

    assert len({round(station.start_s, 6) for station in stations}) == 50
    assert len({round(station.phase_s, 6) for station in stations}) == 50
    assert all(0.0 <= station.phase_s < 0.1 for station in stations)


def test_listener_gets_whole_units_and_the_log_says_when(content: Content, tmp_path: Path) -> None:
    fields = {"kind": "mp3-44100", "offsets": content.offsets, "ends": content.ends, "head": 0}
    (tmp_path / "mp3-44100.json").write_text(json.dumps(fields | {"titles": content.titles}))
    (tmp_path / "mp3-44100.audio").write_bytes(content.data)
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.radio", "--stations", "2", "--content", str(tmp_path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        port = json.loads(process.stdout.readline())["port"]
        with socket.create_connection(("127.0.0.1", port), timeout=10) as listener:
            listener.sendall(b"GET /s1 HTTP/1.1\r\nHost: x\r\n\r\n")
            data = b""
            while len(data.partition(b"\r\n\r\n")[2]) < 12:
                data += listener.recv(4096)
        print(tmp_path / "log.json", file=process.stdin, flush=True)
        said = json.loads(process.stdout.readline())
        log = json.loads((tmp_path / "log.json").read_text())
    finally:
        process.communicate(timeout=10)

    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK")
    assert b"icy-br: 128" in head
    assert body in content.data * 10
    assert log[0] == []
    ((opened, times, seconds),) = log[1]
    assert opened <= times[0] <= times[-1]
    assert seconds == sorted(seconds)
    assert all(second % 0.5 == 0.0 for second in seconds)
    assert said["stalled"] == 0
    assert process.returncode == 0
