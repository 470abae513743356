"""The databases that a history may lie in: a file, and a real PostgreSQL server."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from streamer.history.store import Store
from tests.system.conftest import stop, wait_until


def postgres_programs() -> Path | None:
    """Give the folder of the newest server; Debian has it outside of PATH."""
    here = shutil.which("initdb")
    found = [Path(here).resolve()] if here else sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class PostgresServer:
    """A real server on a Unix socket of its own. `stop()` and `start()` restart it."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._process: subprocess.Popen | None = None
        self._user = []
        if os.geteuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._user = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
        self._run("initdb", "--no-sync", "--auth=trust", "--username=test", "-D", str(folder / "data"))

    def start(self) -> None:
        options = [f"unix_socket_directories={self._folder}", "listen_addresses=", "fsync=off"]
        self._process = subprocess.Popen(
            [*self._user, str(self._programs / "postgres"), "-D", str(self._folder / "data"),
             *(word for option in options for word in ("-c", option))],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self._folder,
        )  # fmt: skip
        wait_until(self._answers, "postgres", self._process)

    def stop(self, how: int = signal.SIGINT) -> None:
        """End it; by default as an administrator does, who ends its connections too."""
        if self._process is not None:
            stop(self._process, how)

    def url(self) -> str:
        """Give the URL of a new database."""
        name = f"d{uuid4().hex}"
        self._run("createdb", "-h", str(self._folder), "-U", "test", name)
        return f"postgresql://test@/{name}?host={self._folder}"

    def _answers(self) -> bool:
        asked = [str(self._programs / "pg_isready"), "-h", str(self._folder), "-U", "test", "-q"]
        return subprocess.run(asked, check=False).returncode == 0

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._user, str(self._programs / program), *arguments]
        subprocess.run(command, check=True, cwd=self._folder, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("not installed: postgresql (make setup installs it)")
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = PostgresServer(programs, folder)
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # at once


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.system)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give where a history may be made, in each database."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres").url()
    return str(tmp_path / "state" / "history.sqlite")


@pytest.fixture
def opened(url: str) -> Iterator[Callable[..., Store]]:
    """Give a function that opens the history, as often as one likes."""
    stores = []

    def open_(*, write: bool = False) -> Store:
        stores.append(Store.open(url, write=write))
        return stores[-1]

    yield open_
    for store in stores:
        store.close()


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The viewer's zone."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
