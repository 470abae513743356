"""`[history]` in the configuration: where it is kept, and what is refused."""

from pathlib import Path

import pytest

from streamer.check.load import load_config
from streamer.config import Config
from streamer.errors import ConfigError
from streamer.history.place import found_at, kept_at, nameable

STATION = "[[station]]\nid = 'a'\nsource = 'a.mp3'\n"


def load(folder: Path, section: str) -> Config:
    (folder / "c.toml").write_text(f"{section}\n{STATION}")
    return load_config(folder / "c.toml")


def test_history_is_kept_only_where_it_is_asked_for(tmp_path):
    assert load(tmp_path, "").history is None
    assert load(tmp_path, "[history]").history.enabled


def test_a_path_is_relative_to_the_file_that_names_it(tmp_path):
    config = load(tmp_path, "[history]\npath = 'kept/h.sqlite'")

    assert kept_at(config.history) == str(tmp_path / "kept" / "h.sqlite")


def test_the_state_folder_is_systemds_then_the_users_own(tmp_path, monkeypatch):
    history = load(tmp_path, "[history]").history
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))

    for given, place in (
        ({"XDG_STATE_HOME": "relative"}, tmp_path / ".local/state/genrecast"),
        ({"XDG_STATE_HOME": str(tmp_path / "x")}, tmp_path / "x/genrecast"),
        ({"STATE_DIRECTORY": f"{tmp_path}/s:/other"}, tmp_path / "s"),
    ):
        for name, value in given.items():
            monkeypatch.setenv(name, value)

        assert kept_at(history) == str(place / "history.sqlite")


def test_a_reader_finds_the_services_history_where_there_is_no_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    monkeypatch.setattr("streamer.history.place.SERVICE", tmp_path)
    own = tmp_path / "own" / "genrecast" / "history.sqlite"

    assert found_at() == str(own)
    (tmp_path / "history.sqlite").touch()
    assert found_at() == str(tmp_path / "history.sqlite")
    own.parent.mkdir(parents=True)
    own.touch()
    assert found_at() == str(own)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("keep_days = 0", "keep_days = 0"),
        ("max_mb = 1", "max_mb = 1"),
        ("path = 'stations.toml'", "stations.toml"),
        ("path = 'a.db'\nurl = 'postgresql:///x'", "both"),
        ("url = 'mysql://me:s3cret@host/x'", "url"),
        ("keep = 5", "keep"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, section, words):
    with pytest.raises(ConfigError, match=words) as raised:
        load(tmp_path, f"[history]\n{section}")

    assert "s3cret" not in raised.value.message


def test_a_url_is_shown_without_its_password():
    assert nameable("postgresql://me:s3cret@host:5/x?sslpassword=s3cret") == "postgresql://host:5/x"
