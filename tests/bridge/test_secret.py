"""Where secrets may come from, and which of them wins."""

import pytest

from streamer.bridge.secret import secret
from streamer.errors import ConfigError


@pytest.fixture
def credentials(tmp_path, monkeypatch):
    """The folder in which systemd puts credentials."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.delenv("GENRECAST_MQTT_PASSWORD", raising=False)
    return tmp_path


def test_the_configuration_wins_over_the_environment_and_that_over_a_credential(credentials, monkeypatch):
    assert secret("mqtt-password", None) is None

    (credentials / "mqtt-password").write_text("from a file\n")
    assert secret("mqtt-password", None) == "from a file"

    monkeypatch.setenv("GENRECAST_MQTT_PASSWORD", "from outside")
    assert secret("mqtt-password", None) == "from outside"
    assert secret("mqtt-password", "configured") == "configured"


def test_a_credential_that_is_no_text_is_an_error_that_names_the_file(credentials):
    (credentials / "mqtt-password").write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigError, match="mqtt-password"):
        secret("mqtt-password", None)
