"""A configuration's errors: all of them at once, each with its place, key, value and remedy."""

from pathlib import Path
from typing import Annotated

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.check.load import MAX_BYTES, check_config, examine, load_config
from streamer.check.structure import Structure
from streamer.config import Config, StationConfig, with_station
from streamer.errors import ConfigError, Problem

GOOD = """
[[station]]
id = "a"
source = "http://one.example/"
"""
BAD = """\
hop = 0.01
provider = "cpuu"
bogus.deep = 1

[[station]]
id = "a"
source = "http://me:hidden@one.example/x?token=hidden"
[[station]]
id = "B"
sourse = "x"
[[station]]
id = "a"
source = "gopher://me:hidden@one.example/"
charset = "klingon"
[[station]]
id = "d"
source = "http://ONE.example:80/y?token=hidden"
[[station]]
id = "e"
source = "http://one.example/y?token=hidden"
[staton]
"""


def problems(folder: Path, text: str) -> list[Problem]:
    path = folder / "c.toml"
    path.write_text(text)
    return examine(path)[1]


def test_all_errors_are_told_at_once_each_with_its_place_and_a_remedy(tmp_path):
    found = problems(tmp_path, BAD)

    assert [(problem.line, problem.column, problem.key) for problem in found] == [
        (1, 1, ("hop",)),
        (2, 1, ("provider",)),
        (3, 1, ("bogus",)),
        (8, 1, ("station", 1)),
        (9, 1, ("station", 1, "id")),
        (10, 1, ("station", 1, "sourse")),
        (12, 1, ("station", 2, "id")),
        (13, 1, ("station", 2, "source")),
        (14, 1, ("station", 2, "charset")),
        (20, 1, ("station", 4, "source")),
        (21, 1, ("staton",)),
    ]
    assert [problem.line for problem in found if problem.warning] == [20]
    assert all(problem.remedy for problem in found)
    assert str(found[0]) == f"{tmp_path}/c.toml:1:1: hop = 0.01: expected `float` >= 0.1"
    assert found[0].remedy == "give a number from 0.1 to 60"
    assert found[10].remedy == "did you mean 'station'?"


def test_no_secret_of_a_url_is_shown(tmp_path):
    assert "hidden" not in " ".join(str(problem) + problem.remedy for problem in problems(tmp_path, BAD))


def test_loading_raises_one_error_that_has_all(tmp_path):
    (tmp_path / "c.toml").write_text(BAD)

    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path / "c.toml")

    assert len(caught.value.problems) == 10
    assert caught.value.message.splitlines() == [str(problem) for problem in caught.value.problems]


def test_several_errors_of_syntax_are_told(tmp_path):
    found = problems(tmp_path, 'hop = \nduty = 1\nduty = 2\nmodel = "x\n')

    assert [problem.line for problem in found] == [1, 3, 4]
    assert all("no valid TOML" in problem.message for problem in found)


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 5000, "x = '''", "n = " + "9" * 10_000, "a." * 3000 + "b = 1", "[" + "a." * 3000]
)
def test_hostile_toml_is_refused_with_a_sentence(tmp_path, text):
    found = problems(tmp_path, text)

    assert 1 <= len(found) <= 2
    assert len(str(found[0])) < 300


@pytest.mark.parametrize("body", [b"\xff\xfe", b"#" * (MAX_BYTES + 1)])
def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path, body):
    (tmp_path / "c.toml").write_bytes(body)

    with pytest.raises(ConfigError, match="can't be read"):
        load_config(tmp_path / "c.toml")


def test_editors_on_windows_may_have_saved_it(tmp_path):
    (tmp_path / "c.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())

    assert load_config(tmp_path / "c.toml").station[0].id == "a"


def test_the_file_of_a_gateway_needs_no_station_and_no_daemon_runs_from_it(tmp_path):
    assert problems(tmp_path, "[gateway]\n") == []
    with pytest.raises(ConfigError, match="no station"):
        with_station(load_config(tmp_path / "c.toml"))

    (missing,) = problems(tmp_path, "bind = 'ipc://x'\n")
    assert missing.message == "no station"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gateways = ['tcp://host']", "gateways: 'tcp://host' is no endpoint"),
        ("gateways = ['http://host:1']", "gateways: 'http://host:1' is no endpoint"),
        ("gateways = ['tcp://host:0']", "gateways: 'tcp://host:0' is no endpoint"),
        ("[gateway]\nfrom = ['ipc://']", "from: 'ipc://' is no endpoint"),
        ("[gateway]\nallow = 'a'", "[gateway] has one of server_key and allow"),
        ("[security]\nkey = 'a'", "[security] has one of key and gateway_key"),
        (
            "gateways = ['tcp://host:1']\n[security]\nserver_key = 'a'\nallow = 'b'",
            "messages are protected at bind, and would not be on their way to 'tcp://host:1'",
        ),
    ],
)
def test_what_is_wrong_with_gateways_is_told(tmp_path, text, says):
    station = "[[station]]\nid = 'a'\nsource = 'http://one.example/x'\n"
    (found,) = problems(tmp_path, f"{text}\n{station}")

    assert says in found.message
    assert found.line is not None


def test_files_that_do_not_exist_are_told_where_one_asks(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        "model = 'missing.onnx'\n"
        + f"[[station]]\nid = 'a'\nsource = 'file:{tmp_path}/none.mp3?pace=live'\n"
        + f"[[station]]\nid = 'b'\nsource = '{path}'\n"
    )

    config, found = examine(path, files=True)

    assert config is not None
    assert [(problem.code, problem.line) for problem in found] == [("model-file", 1), ("source-not-found", 4)]
    assert load_config(path).model == str(tmp_path / "missing.onnx")


def test_what_a_command_line_makes_is_checked_by_the_same_rules():
    config = Config(hop=0.01, duty=7.0, station=(StationConfig(id="Upper", source="x"),))

    with pytest.raises(ConfigError) as caught:
        check_config(config, name="command line")

    assert [problem.key for problem in caught.value.problems] == [
        *(("hop",), ("duty",), ("station", 0, "id"))
    ]
    assert caught.value.message.startswith("command line: hop")


class Keeper(msgspec.Struct, forbid_unknown_fields=True):
    token: str
    days: Annotated[int, msgspec.Meta(ge=1)] = 7
    tags: dict[str, int] = {}
    paths: tuple[str, ...] = ()
    allow: bool | tuple[str, ...] = ()
    pair: tuple[str, int] = ("", 0)
    some: Annotated[list[int], msgspec.Meta(min_length=1)] | None = None


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    keeper: Keeper | None = None
    keepers: list[Keeper] = []


def test_a_new_section_is_checked_without_further_code():
    structure = Structure(
        {
            "keeper": {
                "token": 5,
                "days": 0,
                "tags": {"a": "x"},
                "paths": ["a", 1],
                "allow": 5,
                "pair": ["a", "b"],
                "some": [],
                "toke": 1,
            },
            "keepers": [{}, {"token": "x"}, 3],
        },
        Whole,
    )

    found = {problem.key: problem for problem in structure.problems}
    assert set(found) == {
        ("keeper", "token"),
        ("keeper", "days"),
        ("keeper", "tags", "a"),
        ("keeper", "paths", 1),
        ("keeper", "allow"),
        ("keeper", "pair"),
        ("keeper", "some"),
        ("keeper", "toke"),
        ("keepers", 0),
        ("keepers", 2),
    }
    assert found["keeper", "token"].message == "keeper: token = ...: expected `str`, got `int`"
    assert found["keeper", "days"].remedy == "give a whole number, 1 or more"
    assert found["keeper", "allow"].remedy == "give true or false or a list in [ ]"
    assert found["keepers", 2].message == "keepers 3 = 3: a table is expected"
    assert structure.sound == {"keepers": [{"token": "x"}]}
    assert structure.original(("keepers", 0, "token")) == ("keepers", 1, "token")


NAMES = st.sampled_from(
    ["station", "hop", "duty", "model", "id", "source", "charset", "bind", "bogus", "workers"]
)
SCALARS = st.sampled_from(
    ['"a"', '"http://h/"', "1", "0.5", "true", "nan", '"stdin:"', "[]", "{}", "1979-05-27"]
)
PAIRS = st.lists(st.tuples(NAMES, SCALARS), max_size=4, unique_by=lambda pair: pair[0])
HEADERS = st.sampled_from(["[[station]]", "[station]", "[bogus]", ""])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(HEADERS, PAIRS), max_size=4))
def test_whatever_is_in_the_file_it_is_taken_or_refused_with_places(tmp_path_factory, blocks):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(
        "".join(f"{header}\n" + "".join(f"{k} = {v}\n" for k, v in pairs) for header, pairs in blocks)
    )

    config, found = examine(path)

    assert (config is None) == any(not problem.warning for problem in found)
    assert all(problem.line or problem.message == "no station" for problem in found)
