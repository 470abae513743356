"""`genrecast check`, and `run` by the same rules."""

import json
import subprocess
import sys

import jsonschema

BAD = """\
hop = 0.01
provder = "cpu"
[[station]]
id = "a"
source = "gopher://me:hidden@h/"
"""
GOOD = """\
[[station]]
id = "a"
source = "http://me:hidden@h.example/x?token=hidden"
[[station]]
id = "b"
source = "http://me:hidden@H.example:80/x?token=hidden"
"""


def test_all_errors_come_with_line_remedy_and_status_3(genrecast, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(BAD)

    for args in (["check", path], ["run", "--config", path]):
        done = genrecast(*args)

        assert done.returncode == 3
        lines = done.stderr.splitlines()
        assert [line.partition(f"{path}:")[2].partition(":")[0] for line in lines[::2]] == ["1", "2", "5"]
        assert all(line.startswith("  try: ") for line in lines[1::2])
        assert "hidden" not in done.stderr


def test_a_good_file_is_one_line_and_warnings_are_no_errors(genrecast, tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(GOOD)

    done = genrecast("check", path)

    assert done.returncode == 0
    assert done.stdout == f"{path}: 2 stations, 1 worker, model default, tcp://127.0.0.1:5567\n"
    assert "is that of 'a' too" in done.stderr
    assert "hidden" not in done.stderr


def test_programs_get_one_json_object(genrecast, tmp_path):
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "bad.toml").write_text(BAD)

    good, bad = (genrecast("check", "--json", tmp_path / name) for name in ("good.toml", "bad.toml"))

    assert good.returncode == 0
    assert json.loads(good.stdout)["holds"]["stations"] == 2
    assert bad.returncode == 3
    said = json.loads(bad.stdout)
    assert said["holds"] is None
    assert [problem["line"] for problem in said["problems"]] == [1, 2, 5]
    assert said["problems"][2]["code"] == "source-uri"


def test_a_missing_file_is_an_error_of_check(genrecast, tmp_path):
    (tmp_path / "c.toml").write_text("[[station]]\nid = 'a'\nsource = 'none.mp3'\n")

    done = genrecast("check", tmp_path / "c.toml")

    assert done.returncode == 3
    assert "none.mp3" in done.stderr


def test_the_schema_is_printed(genrecast):
    schema = json.loads(genrecast("check", "--schema").stdout)

    jsonschema.Draft7Validator.check_schema(schema)
    assert "station" in schema["properties"]


def test_errors_are_logged_where_logs_are_read(genrecast, tmp_path):
    (tmp_path / "c.toml").write_text(BAD)

    done = genrecast("run", "--config", tmp_path / "c.toml", "--log-format", "json")

    assert [json.loads(line)["code"] for line in done.stderr.splitlines()] == [
        "config",
        "config",
        "source-uri",
    ]


def test_a_loss_is_logged_once_with_its_code(tiny):
    process = subprocess.Popen(
        [sys.executable, "-m", "streamer.cli", "run", "--model", str(tiny), "--log-format", "journal",
         "--bind", "tcp://127.0.0.1:*", "--source", "http://me:hidden@127.0.0.1:1/x?token=hidden"],
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stderr is not None
    lines = []
    while "event=retrying" not in (line := process.stderr.readline()):
        assert line, "the daemon ended"
        lines.append(line)
    process.terminate()
    process.communicate(timeout=10)

    losses = [line for line in lines if "connect to" in line]
    assert len(losses) == 1
    assert losses[0].startswith("<4>live: lost: http://127.0.0.1:1/x?...: can't connect")
    assert losses[0].endswith(" (source-connection) station=live event=lost code=source-connection\n")
