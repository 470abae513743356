"""Keys as a user makes and hands them around."""

import pytest


@pytest.fixture
def keys(genrecast, tmp_path):
    """Give a function that runs `genrecast keys` on a folder."""
    return lambda *args, folder="keys": genrecast("keys", *args, "--dir", tmp_path / folder)


def test_new_says_what_to_write_into_the_configuration(keys, tmp_path):
    done = keys("new")

    assert done.returncode == 0, done.stderr
    assert f"server_key = '{tmp_path}/keys/genrecast.key'" in done.stdout
    assert f"allow = '{tmp_path}/keys/allowed-keys'" in done.stdout
    secret = (tmp_path / "keys" / "genrecast.key").read_text().splitlines()[-1]
    assert secret not in done.stdout


def test_show_prints_the_public_key_alone(keys):
    made = keys("new").stdout

    shown = keys("show").stdout

    assert f"public key: {shown.strip()}\n" in made
    assert len(shown) == 65


def test_allow_adds_a_line_with_a_name_once(keys, tmp_path):
    keys("new")
    keys("new", folder="other")
    public = keys("show", folder="other").stdout.strip()

    done, again = keys("allow", public, "--name", "kitchen"), keys("allow", public)

    assert done.returncode == 0, done.stderr
    assert f"{public} kitchen\n" in (tmp_path / "keys" / "allowed-keys").read_text()
    assert (again.returncode, "kitchen" in again.stderr) == (3, True)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["show"], "can't be read"),
        (["allow", "nonsense"], "64 hexadecimal"),
        (["allow", "0" * 64, "--name", "a\nb"], "--name"),
        (["allow", "0" * 64, "--name", "x" * 65], "--name"),
    ],
)
def test_what_is_wrong_with_a_key_is_told(keys, args, words):
    done = keys(*args)

    assert done.returncode == 3
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_none_is_told(genrecast, tmp_path):
    (tmp_path / "file").touch()

    done = genrecast("keys", "new", "--dir", tmp_path / "file")

    assert done.returncode == 3
    assert "can't be written" in done.stderr


def test_listen_wants_both_keys_or_none(genrecast, tmp_path):
    done = genrecast("listen", "--server-key", "0" * 64)

    assert done.returncode == 3
    assert "--key" in done.stderr


def test_run_names_the_file_with_keys_that_is_missing(genrecast, tiny, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text(
        "bind = 'tcp://127.0.0.1:*'\n[security]\nserver_key = 'my.key'\nallow = 'my.list'\n"
        "[[station]]\nid = 'a'\nsource = 'stdin:'\n"
    )

    done = genrecast("run", "--config", config, "--model", tiny)

    assert done.returncode == 3, done.stderr
    assert f"{tmp_path}/my.key" in done.stderr


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("server_key = 'a'", "work together"),
        ("allow = 'a'", "work together"),
        ("allow_private = ['10.0.0.0/99']", "10.0.0.0/99"),
        ("allow_private = ['a b']", "a b"),
        ("allow_private = 'yes'", "allow_private"),
        ("alow_private = true", "alow_private"),
    ],
)
def test_the_security_section_is_checked(genrecast, tmp_path, section, words):
    config = tmp_path / "c.toml"
    config.write_text(f"[security]\n{section}\n[[station]]\nid = 'a'\nsource = 'stdin:'\n")

    done = genrecast("run", "--config", config)

    assert done.returncode == 3
    assert words in done.stderr
