"""`genrecast history` as a user calls it."""

import contextlib
import csv
import io
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.history.rows import DAY_S, Heard, Open, Segment, TrackRow
from streamer.history.store import Store
from tests.cli.conftest import genrecast  # noqa: F401
from tests.history.saying import NOON

AT = ("--since", "2027-01-15T07:00Z", "--until", "2027-01-15T10:00Z")
EVIL = "=cmd|' /C calc'!A0 \x1b]0;x\x07\x9b2J<script>"
NEUTRAL = EVIL.translate({ord(c): "\N{REPLACEMENT CHARACTER}" for c in "\x1b\x07\x9b"})
Ask = Callable[..., str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "history.sqlite"
    store = Store.open(str(path), write=True)
    store.write(
        [
            Segment("kexp", "music", "jazz", 0.834, NOON, NOON + 600),
            Segment("kexp", "speech", None, 0.97, NOON + 600, NOON + 630),
            Segment("fip", "no-signal", None, 1.0, NOON, NOON + 60),
        ],
        [
            Heard("b", 0, TrackRow("kexp", "Alice - Ohm", "jazz", 0.9, NOON, NOON + 200, 200)),
            Heard("b", 1, TrackRow("kexp", EVIL, None, None, NOON + 200, NOON + 600, 400)),
        ],
        [Open("b", Segment("kexp", "music", "rock", 0.5, NOON + 630, NOON + 700))],
    )
    store.write([], [], [Open("b", Segment("fip", "music", "pop", 0.5, NOON + 60, NOON + 60))])
    store.close()
    return path


@pytest.fixture
def ask(genrecast, path) -> Ask:  # noqa: F811
    def run(*args: object) -> str:
        done = genrecast("history", "--db", path, *args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_a_person_sees_their_own_zone_and_its_name(ask, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")

    lines = ask("--station", "kexp", *AT).splitlines()

    assert lines == [
        "2027-01-15 13:30:00 IST   0:10:00  kexp          jazz         83%",
        "2027-01-15 13:40:00 IST   0:00:30  kexp          speech       97%",
        "2027-01-15 13:40:30 IST   0:01:10  kexp          rock         50%",
    ]


def test_a_program_sees_utc(ask, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kolkata")

    first = json.loads(ask("--json", "--genre", "jazz", *AT))
    rows = list(csv.DictReader(io.StringIO(ask("--csv", "--hours", "--station", "kexp", *AT))))

    assert first == {
        "station": "kexp",
        "state": "music",
        "genre": "jazz",
        "confidence": 0.834,
        "start": "2027-01-15T08:00:00.000Z",
        "end": "2027-01-15T08:10:00.000Z",
    }
    assert rows[0] == {
        "station": "kexp",
        "hour": "2027-01-15T08:00:00.000Z",
        "what": "jazz",
        "seconds": "600.0",
    }
    assert [row["what"] for row in rows] == ["jazz", "rock", "speech"]


def test_titles_of_strangers_harm_neither_terminal_nor_spreadsheet(ask):
    shown = ask("--tracks", *AT)
    as_json = ask("--tracks", "--json", *AT)
    cell = list(csv.DictReader(io.StringIO(ask("--tracks", "--csv", *AT))))[1]["title"]

    assert NEUTRAL in shown
    assert cell == "'" + NEUTRAL
    assert json.loads(as_json.splitlines()[1])["title"] == EVIL
    assert (shown + as_json).replace("\n", "").isprintable()


def test_parquet_holds_the_same_rows(ask, tmp_path):
    from pyarrow import parquet

    for kind in ("--tracks", "--hours"):
        ask(kind, "--parquet", tmp_path / "out.parquet", *AT)
        table = parquet.read_table(tmp_path / "out.parquet").to_pylist()

        said = [json.loads(line) for line in ask(kind, "--json", *AT).splitlines()]
        assert [
            {k: v.strftime("%Y-%m-%dT%H:%M:%S.000Z") if hasattr(v, "strftime") else v for k, v in row.items()}
            for row in table
        ] == said
    assert not list(tmp_path.glob(".*.part"))


def test_what_lasts_over_midnight_is_told_once(ask, path):
    store = Store.open(str(path), write=True)
    rows = [Segment("fip", "music", "pop", 0.8, NOON + i * 7000, NOON + i * 7000 + 7000) for i in range(50)]
    store.write(rows, [], [])
    store.close()

    told = ask(
        "--station", "fip", "--json", "--since", "2027-01-15T07:00Z", "--until", "2027-01-21"
    ).splitlines()

    starts = [json.loads(line)["start"] for line in told if '"pop"' in line]
    assert len(starts) == len(set(starts)) == 49  # the first of them is a segment that was there before


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["--station", "kxp"], 10, "kexp"),
        (["--since", "soon"], 2, "soon"),
        (["--since", "1h", "--until", "2h"], 2, "before"),
        (["--csv", "--parquet", "x"], 2, "--parquet"),
        (["--parquet", "/nowhere/x.parquet", *AT], 10, "/nowhere/x.parquet"),
        (["--db", "missing.sqlite"], 10, "missing.sqlite"),
        (["--db", "pyproject.toml"], 10, "pyproject.toml"),
        (["--db", "postgresql://me:s3cret@127.0.0.1:1/x"], 10, "127.0.0.1"),
    ],
)
def test_what_is_wrong_is_named_and_no_traceback_shown(genrecast, path, args, status, words):  # noqa: F811
    done = genrecast("history", *([] if "--db" in args else ["--db", path]), *args)

    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


def test_a_lacking_extra_is_named(genrecast, path, tmp_path):  # noqa: F811
    (tmp_path / "lacking").mkdir()
    for name in ("pyarrow", "psycopg"):
        (tmp_path / "lacking" / f"{name}.py").write_text(f"raise ModuleNotFoundError('{name}')")
    env = {"PYTHONPATH": f"{tmp_path / 'lacking'}:{Path(__file__).parents[2]}", "PATH": "/usr/bin:/bin"}

    for args, extra in (("--parquet x", "parquet"), ("--db postgresql:///x", "postgres")):
        done = genrecast("history", "--db", path, *args.split(), env=env)

        assert done.returncode == 3, done.stderr
        assert f"genrecast[{extra}]" in done.stderr


def test_the_history_is_found_where_the_daemon_keeps_it(genrecast, path, tmp_path):  # noqa: F811
    kept = tmp_path / "state" / "genrecast" / "history.sqlite"
    kept.parent.mkdir(parents=True)
    path.rename(kept)
    env = {"XDG_STATE_HOME": str(tmp_path / "state"), "PATH": "/usr/bin:/bin"}

    done = genrecast("history", "--json", *AT, env=env, cwd=Path(__file__).parents[2])

    assert done.stdout.count("\n") == 4


def test_a_file_that_is_broken_inside_is_told(genrecast, path):  # noqa: F811
    with contextlib.closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))

    done = genrecast("history", "--db", path)

    assert done.returncode == 10
    assert "malformed" in done.stderr


def test_by_default_the_last_day_is_shown(ask, path):
    now = time.time()
    store = Store.open(str(path), write=True)
    store.write(
        [Segment("fip", "music", "pop", 0.5, now - age - 60, now - age) for age in (60, 2 * DAY_S)], [], []
    )
    store.close()

    assert ask().count("\n") == 1
