"""How another command asks a running daemon for something: a Unix socket named by its process id.

The daemon says who it is; asked to `reload`, it answers how that went. One JSON object a line. Only its own
user and root may ask.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec

from streamer.engine.reload import Reloaded
from streamer.errors import ControlError
from streamer.publish.endpoint import is_served

log = logging.getLogger(__name__)

RELOAD = b"reload\n"
HELLO_S = 5.0
ANSWER_S = 60.0  # to read a configuration, and to start what it asks for, on a small and busy machine


class Hello(msgspec.Struct, frozen=True):
    """Who a daemon is: its process, and the absolute path of its configuration."""

    pid: int
    config: str


class Control:
    """The daemon's side.

    Args:
        hello: who it is.
        reload: reads the configuration again, and gives the answer.
    """

    def __init__(self, hello: Hello, reload: Callable[[], Awaitable[Reloaded]]) -> None:
        self._hello, self._reload = hello, reload
        self._path = _folders()[0] / f"{hello.pid}.sock"  # no two daemons have one number
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> None:
        """Begin to listen; where that can't be, SIGHUP is left."""
        before = os.umask(0o077)
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for other in self._path.parent.glob("*.sock"):
                if not is_served(str(other)):  # a daemon that was killed has left it behind
                    other.unlink()
            self._server = await asyncio.start_unix_server(self._serve, self._path)
        except OSError as error:
            log.info("'genrecast reload' won't find this daemon: %s: %s", self._path, error.strerror)
        finally:
            os.umask(before)

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            writer.write(msgspec.json.encode(self._hello) + b"\n")
            if await reader.readline() == RELOAD:
                writer.write(msgspec.json.encode(await self._reload()) + b"\n")
            await writer.drain()


class Running:
    """A daemon that was found.

    Args:
        path: of its socket.

    Raises:
        OSError: nobody answers there, or not to us.
    """

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(HELLO_S)
            self._socket.connect(str(path))
            self._lines = self._socket.makefile("rb")
            self.hello = msgspec.json.decode(self._lines.readline(), type=Hello)
        except (OSError, msgspec.DecodeError) as error:
            self._socket.close()
            raise OSError(*error.args) from error

    def reload(self) -> Reloaded:
        """Ask it to read its configuration again; wait for the answer.

        Raises:
            ControlError: it has ended meanwhile, or doesn't answer.
        """
        try:
            self._socket.settimeout(ANSWER_S)
            self._socket.sendall(RELOAD)
            return msgspec.json.decode(self._lines.readline(), type=Reloaded)
        except (OSError, msgspec.DecodeError) as error:
            raise ControlError(
                f"the daemon that runs from {self.hello.config} (process {self.hello.pid}) gives no answer",
                remedy="see what it logs: journalctl -u genrecast, or the terminal in which it runs",
            ) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._lines.close()
        self._socket.close()


@contextlib.contextmanager
def find(config: Path | None) -> Iterator[Running]:
    """Find the one daemon that runs from this file, or the one that runs from any.

    Raises:
        ControlError: there is none, or more than one.
    """
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(contextlib.closing(one)) for one in _running()]
        if config is not None:
            running = [one for one in running if one.hello.config == str(config.resolve())]
        if not running:
            raise ControlError(
                f"no daemon runs from {config or 'a configuration file'} that this user may ask",
                remedy="start one with 'genrecast run --config FILE'; ask as its user, or as root",
            )
        if len(running) > 1:
            which = ", ".join(f"{one.hello.config} (process {one.hello.pid})" for one in running)
            raise ControlError(
                f"more than one daemon is running: {which}",
                remedy="name the file of one with --config, or send a process SIGHUP",
            )
        yield running[0]


def _running() -> Iterator[Running]:
    for folder in _folders():
        for path in sorted(folder.glob("*.sock")):
            with contextlib.suppress(OSError):
                yield Running(path)


def _folders() -> list[Path]:
    """Give where sockets lie: in the first one a daemon of this environment puts its own."""
    service, session = os.environ.get("RUNTIME_DIRECTORY"), os.environ.get("XDG_RUNTIME_DIR")
    if service:  # a unit's own, where no other daemon is meant
        return [Path(service)]
    return [*([Path(session) / "genrecast"] if session else []), Path("/run/genrecast")]
