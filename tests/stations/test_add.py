"""Stations into a configuration: ids safe and unique, duplicates told, the file kept as it was."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.check.load import examine_text
from streamer.errors import ConfigError
from streamer.stations.add import Choice, append, as_toml
from streamer.stations.name import make_id
from streamer.stations.read import Listed


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("KEXP 90.3 FM", "kexp-90-3-fm"),
        ("Радио Джаз", "radio-example"),
        ("Straße Ünder Łódź & Ægir", "strasse-under-lodz-aegir"),
        ("ＦＭ 802", "fm-802"),
        ("", "radio-example"),
        ("-- __ --", "radio-example"),
        ("x" * 100, "x" * 64),
    ],
)
def test_ids_are_made_from_names(name, id):
    assert make_id(name, "http://radio.example/", ()) == id


def test_ids_stay_unique_at_any_length():
    taken: set[str] = set()

    for _ in range(12):
        taken.add(make_id("x" * 70, "", taken))

    assert len(taken) == 12
    assert all(len(id) <= 64 for id in taken)


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
def test_whatever_names_say_the_toml_is_right_and_shows_no_controls(names):
    choice = Choice({})
    choice.take("list", [Listed(i, *name, url=f"http://h/{i}") for i, (*name, _) in enumerate(names)])

    text = as_toml(choice.new)

    assert len(choice.new) == len(names)
    assert all(line.isprintable() for line in text.splitlines())
    assert len(tomllib.loads(text).get("station", [])) == len(names)
    if names:
        assert examine_text(text, Path(__file__))[1] == []


def test_duplicates_are_found_whatever_way_they_are_written_and_said():
    choice = Choice({"kexp": "http://radio.example/live"})

    choice.take("a.m3u", [
        Listed(1, "KEXP", "HTTP://RADIO.example.:80/live#x"),
        Listed(2, "New", "http://new.example"),
        Listed(3, "Again", "http://new.example:80/"),
        Listed(4, "Other", "http://new.example/?x=1"),
        Listed(5, "kexp", "https://other.example/"),
    ])  # fmt: skip

    assert [named.id for named in choice.new] == ["new", "other", "kexp-2"]
    assert choice.notes == [
        "a.m3u:1: KEXP: the address of 'kexp', which is there",
        "a.m3u:3: Again: the address of a.m3u:2",
    ]


def test_what_is_no_station_is_said_with_its_line():
    choice = Choice({})

    choice.take("a.m3u", [Listed(1, "A", "mms://h/"), Listed(2, "", ""), Listed(3, "C", "http://u:pw@h:x/")])

    assert not choice.new
    assert choice.broken == 3
    assert choice.notes[0].startswith("a.m3u:1: A: ")
    assert choice.notes[1] == "a.m3u:2: an entry: no address"
    assert "pw" not in choice.notes[2]


STATION = '[[station]]\nid = "new"\nsource = "http://new.example/"\n'


def test_appending_keeps_all_that_was_there(tmp_path):
    path, link = tmp_path / "stations.toml", tmp_path / "link.toml"
    before = '# mine\nhop = 2.0 # slow\n\n[[station]] # first\nid = "a"\nsource = "x.mp3"'
    path.write_text(before)
    path.chmod(0o640)
    link.symlink_to(path)

    append(link, STATION)

    assert path.read_text() == f"{before}\n\n{STATION}"
    assert path.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()
    assert sorted(found.name for found in tmp_path.iterdir()) == ["link.toml", "stations.toml"]


@pytest.mark.parametrize(
    "before", ["station = []\n", "hop = 0\n", "[[station]]\nid = 'new'\nsource = 'x'\n", "x ="]
)
def test_a_file_that_could_not_be_used_afterwards_stays_as_it_was(tmp_path, before):
    path = tmp_path / "stations.toml"
    path.write_text(before)

    with pytest.raises(ConfigError, match=r"stations\.toml:\d"):
        append(path, STATION)

    assert path.read_text() == before
    assert [found.name for found in tmp_path.iterdir()] == ["stations.toml"]


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="can't be written"):
        append(tmp_path / "none" / "stations.toml", STATION)
