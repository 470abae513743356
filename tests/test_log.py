"""Logs: a line an event, the same ones counted, fields where they are read, nothing secret or harmful."""

import json
import logging
import os
import subprocess
import sys
import threading

import pytest

from streamer.log import Console, Fold, Journal, Json


class Lines(logging.Handler):
    """Keeps what a formatter makes of records."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.lines: list[str] = []
        self.come = threading.Condition()

    def emit(self, record: logging.LogRecord) -> None:
        with self.come:
            self.lines.append(self.format(record))
            self.come.notify()


def record(text: str, level: int = logging.WARNING, **fields: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"msg": text, "levelno": level, "levelname": logging.getLevelName(level), **fields}
    )


def lost(text: str = "kexp: lost: refused", station: str = "kexp") -> logging.LogRecord:
    return record(text, station=station, event="lost", code="source-connection")


def test_the_same_event_of_the_same_station_is_counted():
    lines = Lines(Console())
    fold = Fold(lines, window_s=300)

    for number in range(38):
        fold.handle(lost(f"kexp: lost: refused {number}"))
    fold.handle(lost("wfmu: lost: refused", "wfmu"))
    fold.tell()
    fold.tell()
    fold.handle(lost())
    fold.close()

    assert lines.lines == [
        "kexp: lost: refused 0",
        "wfmu: lost: refused",
        "kexp: lost: refused 37 … 37 times in the last 5 min",
        "kexp: lost: refused",
    ]


def test_what_goes_on_is_counted_again_in_each_window():
    lines = Lines(Console())
    fold = Fold(lines, window_s=300)

    for _ in range(3):
        for _ in range(10):
            fold.handle(lost())
        fold.tell()

    fold.close()
    assert [line.rpartition("… ")[2] for line in lines.lines[1:]] == [
        f"{count} times in the last 5 min" for count in (9, 10, 10)
    ]


def test_the_count_comes_by_itself():
    lines = Lines(Console())
    fold = Fold(lines, window_s=0.05)

    fold.handle(lost())
    fold.handle(lost())
    with lines.come:
        assert lines.come.wait_for(lambda: len(lines.lines) == 2, 20)

    fold.close()
    assert "once" in lines.lines[1]


def test_what_is_still_folded_is_said_at_the_end():
    lines = Lines(Console())
    fold = Fold(lines)

    for _ in range(3):
        fold.handle(record("no station, the same text"))
    fold.handle(record("another text"))
    fold.close()

    assert lines.lines[-1] == "no station, the same text … 2 times in the last 5 min"


@pytest.mark.parametrize("formatter", [Console(), Journal(), Json()])
def test_no_line_has_secrets_controls_or_a_second_line(formatter, monkeypatch):
    monkeypatch.delenv("GENRECAST_DEBUG", raising=False)
    hostile = record("kexp: 'http://me:hidden@h/?k=hidden'\n\x1b[31mtitle\x9b")
    try:
        raise OSError("http://me:hidden@h/")
    except OSError:
        hostile.exc_info = sys.exc_info()

    line = formatter.format(hostile)

    assert line.isprintable()
    assert "hidden" not in line
    assert "OSError" in line


def test_journald_gets_priority_and_fields():
    assert Journal().format(lost()) == "<4>kexp: lost: refused station=kexp event=lost code=source-connection"
    assert Journal().format(record("ready", logging.INFO)) == "<6>ready"
    assert Journal().format(record("x", logging.ERROR)).startswith("<3>")


def test_json_has_time_level_message_and_fields():
    line = json.loads(Json().format(lost()))

    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "warning",
        "message": "kexp: lost: refused",
        "station": "kexp",
        "event": "lost",
        "code": "source-connection",
    }


@pytest.mark.parametrize(
    ("wanted", "under_systemd", "begins"), [("", True, "<4>"), ("", False, "said"), ("json", True, "{")]
)
def test_the_format_is_that_of_who_reads(tmp_path, wanted, under_systemd, begins):
    path = tmp_path / "stderr"
    with path.open("w") as stderr:
        stat = os.fstat(stderr.fileno())
        stream = f"{stat.st_dev}:{stat.st_ino if under_systemd else stat.st_ino + 1}"
        subprocess.run(
            [sys.executable, "-c", "import logging, streamer.log as l; l.setup(20); logging.warning('said')"],
            env={**os.environ, "JOURNAL_STREAM": stream, "GENRECAST_LOG_FORMAT": wanted},
            stderr=stderr,
            check=True,
        )

    assert path.read_text().startswith(begins)
