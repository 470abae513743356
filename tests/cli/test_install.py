"""`genrecast install`: the real systemd-analyze accepts its units, and finds little to take from them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamer.check.load import load_config
from streamer.cli.install import command
from streamer.errors import GenrecastError, ServiceError
from streamer.unit import NAME, unit

MOST_EXPOSED = 2.5
RADIO, SOUND_CARD = "https://example.org/live.mp3", "soundcard:USB Audio?channel=1"


@pytest.fixture
def analyze(tmp_path):
    """Runs the real systemd-analyze."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("not installed: systemd-analyze (make setup installs it)")

    def run(*arguments: object) -> "subprocess.CompletedProcess[str]":
        line = ["systemd-analyze", *map(str, arguments)]
        env = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}  # of a user's manager
        return subprocess.run(line, env=env, capture_output=True, text=True, check=False, timeout=60)

    return run


@pytest.fixture(autouse=True)
def seen(monkeypatch):
    """Have services see all folders, since tests and checkouts lie in those that they don't."""
    monkeypatch.setattr("streamer.unit.HIDDEN", ())


def configured(folder: Path, *sources: str, more: str = "") -> Path:
    path = folder / "my stations.toml"
    stations = "".join(f"[[station]]\nid = 's{n}'\nsource = '{source}'\n" for n, source in enumerate(sources))
    path.write_text(more + stations)
    path.chmod(0o644)
    return path


def text_of(path: Path, *, user: bool = False) -> str:
    return unit(load_config(path), path, ["/bin/true"], user=user)


def written(folder: Path, *sources: str, user: bool = False) -> Path:
    target = folder / NAME
    target.write_text(text_of(configured(folder, *sources), user=user))
    return target


@pytest.mark.parametrize(
    ("sources", "user"),
    [((RADIO,), False), ((RADIO, SOUND_CARD), False), ((SOUND_CARD,), True), ((RADIO,), True)],
    ids=["radio", "sound card", "sound card of a user", "radio of a user"],
)
def test_systemd_accepts_the_unit_without_a_word(analyze, tmp_path, sources, user):
    target = written(tmp_path, *sources, user=user)
    done = analyze("verify", "--man=no", *(["--user"] if user else []), target)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("sources", [(RADIO,), (RADIO, SOUND_CARD)], ids=["radio", "sound card"])
def test_a_system_service_is_exposed_no_more_than_allowed(analyze, tmp_path, sources):
    limit = int(MOST_EXPOSED * 10)
    done = analyze("security", "--offline=true", f"--threshold={limit}", written(tmp_path, *sources))

    assert done.returncode == 0, done.stdout[-200:]


def test_only_a_station_that_reads_a_sound_card_opens_devices(tmp_path):
    radio, sound = (text_of(configured(tmp_path, source)) for source in (RADIO, SOUND_CARD))

    assert "PrivateDevices=yes" in radio
    assert "MemoryDenyWriteExecute=yes" in radio
    assert "SupplementaryGroups=audio" not in radio
    assert "PrivateDevices" not in sound
    assert "MemoryDenyWriteExecute" not in sound  # by which PortAudio could not call us
    assert "SupplementaryGroups=audio" in sound


def test_odd_paths_are_written_as_systemd_reads_them(tmp_path):
    folder = tmp_path / '100% "odd" $HOME'
    folder.mkdir()
    path = configured(folder, RADIO)
    lines = text_of(path, user=True).splitlines()

    odd = str(path).replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    assert f'ExecStart=/bin/true run --config "{odd}"' in lines
    assert f"WorkingDirectory={folder}".replace("%", "%%") in lines


def test_what_the_service_could_not_see_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("streamer.unit.HIDDEN", (str(tmp_path),))

    with pytest.raises(ServiceError, match="which the service can't see"):
        text_of(configured(tmp_path, RADIO))
    assert text_of(configured(tmp_path, RADIO), user=True)


def test_a_configuration_that_the_service_could_not_read_is_said(tmp_path):
    path = configured(tmp_path, RADIO)
    path.chmod(0o600)

    with pytest.raises(ServiceError, match="can't be read by the user 'genrecast'"):
        text_of(path)


def test_standard_input_is_no_source_for_a_service(tmp_path):
    with pytest.raises(ServiceError, match="no standard input"):
        text_of(configured(tmp_path, "stdin:"), user=True)


def test_install_writes_the_unit_and_says_what_to_run_next(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = configured(tmp_path, RADIO)
    done = CliRunner().invoke(command, ["--user", "--config", str(path)], catch_exceptions=False)
    again = CliRunner().invoke(command, ["--user", "--config", str(path)], catch_exceptions=False)
    shown = CliRunner().invoke(command, ["--user", "--config", str(path), "--print"], catch_exceptions=False)

    assert (tmp_path / ".config/systemd/user" / NAME).read_text() == shown.stdout
    assert "systemctl --user daemon-reload && systemctl --user enable --now genrecast" in done.stdout
    assert again.stdout == done.stdout


def test_install_leaves_a_unit_alone_that_is_somebody_elses(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    target = tmp_path / ".config/systemd/user" / NAME
    target.parent.mkdir(parents=True)
    target.write_text("[Service]\nExecStart=/bin/true\n")
    done = CliRunner().invoke(command, ["--user", "--config", str(configured(tmp_path, RADIO))])

    assert isinstance(done.exception, ServiceError)
    assert target.read_text() == "[Service]\nExecStart=/bin/true\n"


def test_install_checks_the_configuration_first(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = configured(tmp_path, RADIO, more="hop = 0\n")
    done = CliRunner().invoke(command, ["--user", "--config", str(path)])

    assert isinstance(done.exception, GenrecastError)
    assert not (tmp_path / ".config").exists()
