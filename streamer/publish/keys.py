"""CURVE keys: a file with a secret one, and a list of the public ones that may subscribe.

Keys are written as 64 hexadecimal digits: no shell and no file has a meaning of its own for these.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import zmq
from zmq.utils import z85

from streamer.errors import KeysError
from streamer.sections import GatewayConfig, SecurityConfig

KEY_FILE, ALLOW_FILE = "genrecast.key", "allowed-keys"
MAX_BYTES = 1 << 20  # ten thousand subscribers' keys; what is larger is another file
MAX_NAME = 64

_KEY = re.compile(r"[0-9a-fA-F]{64}")
_KEY_HEAD = (
    "# A secret key of genrecast. Nobody else may read it; 'genrecast keys show' gives the public one.\n"
)
_ALLOW_HEAD = (
    "# Who may subscribe: a public key and a name a line. Without its line, a subscriber is shut out.\n"
)


@dataclass(frozen=True, slots=True)
class Key:
    """A pair of keys, 32 bytes each."""

    secret: bytes
    public: bytes

    @classmethod
    def of(cls, secret: bytes) -> Self:
        """Give the pair of a secret key."""
        return cls(secret, z85.decode(zmq.curve_public(z85.encode(secret))))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a key file.

        Raises:
            KeysError: there is none, others can read it, or no key is in it.
        """
        with _opened(path, "genrecast keys new makes one") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise KeysError(
                    f"{path}: others can read this secret key", remedy=f"chmod 600 '{path}', or make another"
                )
            lines = [line for _, line in _lines(file, path)]
        if len(lines) != 1:
            raise KeysError(f"{path}: no file with a secret key", remedy="genrecast keys new makes one")
        return cls.of(parse_key(lines[0], where=str(path)))


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """What a subscriber has: its own pair, and the daemon's public key."""

    own: Key
    server: bytes

    def apply(self, socket: "zmq.Socket[Any]") -> None:
        """Have a socket use them; before it connects."""
        socket.curve_secretkey, socket.curve_publickey = self.own.secret, self.own.public
        socket.curve_serverkey = self.server

    @property
    def refusal(self) -> str:
        """What a server says that doesn't allow them, and what is to be done."""
        return f"it doesn't allow the key {self.own.public.hex()}: 'genrecast keys allow' there adds it"


class AllowList:
    """The public keys that may subscribe, read again whenever their file has changed.

    Args:
        path: of the file.

    Raises:
        KeysError: the file can't be used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp = _stamp(path)
        self.names = read_allowed(path)
        """Name by public key."""

    def reread(self) -> bool:
        """Take note of a change; True where somebody is on the list no more.

        Raises:
            KeysError: the file can't be used now; the list stays what it was.
        """
        stamp = _stamp(self.path)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        before, self.names = self.names, read_allowed(self.path)
        return not before.keys() <= self.names.keys()


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """What a daemon has: its own pair, and the list of who may subscribe."""

    own: Key
    allowed: AllowList


def server_keys(section: SecurityConfig | GatewayConfig) -> ServerKeys | None:
    """Read what a section names; None where it names nothing.

    Raises:
        KeysError: a file can't be used.
    """
    if section.server_key is None or section.allow is None:
        return None
    return ServerKeys(Key.load(Path(section.server_key)), AllowList(Path(section.allow)))


def gateway_keys(security: SecurityConfig) -> ClientKeys | None:
    """Read what a daemon shows to gateways; None where the configuration names nothing.

    Raises:
        KeysError: the file can't be used.
    """
    if security.key is None or security.gateway_key is None:
        return None
    return ClientKeys(Key.load(Path(security.key)), bytes.fromhex(security.gateway_key))


def own_keys(security: SecurityConfig) -> ClientKeys | None:
    """Give what a part of the daemon itself subscribes with: the daemon's own pair, which it always allows.

    Raises:
        KeysError: the file can't be used.
    """
    if security.server_key is None:
        return None
    key = Key.load(Path(security.server_key))
    return ClientKeys(key, key.public)


def make_key(folder: Path) -> Key:
    """Make a key file, which nobody else can read, and an empty list of who may subscribe.

    Raises:
        KeysError: there is one already, or the folder can't be written.
    """
    key = Key.of(z85.decode(zmq.curve_keypair()[1]))
    path = folder / KEY_FILE
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _create(path, f"{_KEY_HEAD}{key.secret.hex()}\n")
    except OSError as error:
        if path.exists():
            raise KeysError(
                f"{path}: there is a key already", remedy="use it, move it away, or give another --dir"
            ) from error
        raise _unwritable(path, error) from error
    if not (folder / ALLOW_FILE).exists():
        _create(folder / ALLOW_FILE, _ALLOW_HEAD)
    return key


def allow(path: Path, public: bytes, name: str) -> None:
    """Add a public key to a list; a daemon that has it open knows at once.

    Raises:
        KeysError: the file can't be read or written, the name is none, or the key is there already.
    """
    if not name.isprintable() or not 0 < len(name) <= MAX_NAME:
        raise KeysError("--name can't be used", remedy=f"give 1 to {MAX_NAME} characters that can be printed")
    known = read_allowed(path) if path.exists() else {}
    if public in known:
        raise KeysError(f"{path}: this key is there already, as '{known[public]}'", remedy="nothing to do")
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(path, _ALLOW_HEAD)
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{public.hex()} {name}\n")
    except OSError as error:
        raise _unwritable(path, error) from error


def read_allowed(path: Path) -> dict[bytes, str]:
    """Read a list of public keys, with a name each.

    Raises:
        KeysError: there is none, others can write to it, or a line holds no key.
    """
    with _opened(path, "genrecast keys allow makes one") as file:
        if os.fstat(file.fileno()).st_mode & 0o022:
            raise KeysError(f"{path}: others can write to this list", remedy=f"chmod go-w '{path}'")
        found: dict[bytes, str] = {}
        for number, line in _lines(file, path):
            key, _, name = line.partition(" ")
            found[parse_key(key, where=f"{path}, line {number}")] = name.strip() or "unnamed"
    return found


def parse_key(text: str, *, where: str) -> bytes:
    """Give the 32 bytes of a key.

    Raises:
        KeysError: it is none.
    """
    if not _KEY.fullmatch(text):
        raise KeysError(
            f"{where}: what should be a key is not 64 hexadecimal digits",
            remedy="copy what 'genrecast keys show' prints",
        )
    return bytes.fromhex(text)


@contextmanager
def _opened(path: Path, remedy: str) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise KeysError(f"{path}: can't be read: {error.strerror}", remedy=remedy) from error


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines that say something, with their numbers."""
    try:
        text = file.read(MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise KeysError(f"{path}: no text", remedy="genrecast keys makes such files") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def _create(path: Path, text: str) -> None:
    """Write a new file that was never anybody else's to read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _unwritable(path: Path, error: OSError) -> KeysError:
    return KeysError(f"{path}: can't be written: {error.strerror}", remedy="give another --dir")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
