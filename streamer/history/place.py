"""Where history is kept, unless somebody says so."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from streamer.sections import HistoryConfig

SERVERS = ("postgresql://", "postgres://")
FILE = "history.sqlite"
SERVICE = Path("/var/lib/genrecast")  # the state folder of the service


def kept_at(history: HistoryConfig) -> str:
    """Give the URL or path at which a configuration has its history kept."""
    return history.url or history.path or str(_state_folder() / FILE)


def found_at() -> str:
    """Give the path at which a reader finds the history: the user's own, else the service's."""
    own = _state_folder() / FILE
    return str(own if own.exists() or not _exists(SERVICE / FILE) else SERVICE / FILE)


def nameable(url: str) -> str:
    """Give a URL or path as it may be shown: a server's without user, password and parameters."""
    if not is_server(url):
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_server(url: str) -> bool:
    """Say whether a URL is a server's."""
    return url.startswith(SERVERS)


def _state_folder() -> Path:
    """Give systemd's folder for our state where it runs us, else the user's."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    # An empty or relative one counts as none (XDG base directory specification).
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else Path.home() / ".local" / "state") / "genrecast"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # then it is there, and the reader is told why it can't be read
        return True
