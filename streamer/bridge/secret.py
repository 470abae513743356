"""Secrets: from the configuration, or kept out of it, in the environment or in a credential of systemd."""

import os
from pathlib import Path

from streamer.errors import ConfigError


def secret(name: str, given: str | None) -> str | None:
    """Give a secret from the first place that has it; None where none does.

    Args:
        name: such as `mqtt-password`. In the environment it is GENRECAST_MQTT_PASSWORD; as a credential
            (`LoadCredential=` of a unit) it is the file of this name in $CREDENTIALS_DIRECTORY.
        given: in the configuration.

    Raises:
        ConfigError: there is a credential, and it can't be read.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    found = given or os.environ.get("GENRECAST_" + name.upper().replace("-", "_"))
    if found or not folder or not (path := Path(folder, name)).exists():
        return found
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"credential {path}: can't be read: {getattr(error, 'strerror', None) or 'no UTF-8'}",
            remedy="write the secret into it as one line of text",
        ) from error
