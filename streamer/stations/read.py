"""Lists of stations: playlists, OPML and radio-browser's JSON in, names and addresses out."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from streamer.errors import StationListError
from streamer.source.playlist import entries, playlist_kind

MAX_BYTES = 10 << 20  # tens of thousands of stations
HEAD_BYTES = 4096


class Listed(NamedTuple):
    """One entry of a list.

    Attributes:
        line: where it begins, from 1.
        name: as the list has it; may be empty.
        url: likewise; not checked.
        about: what else is worth a comment.
        wrong: why it is no station; empty where it may be one.
    """

    line: int
    name: str
    url: str
    about: str = ""
    wrong: str = ""


def read_stations(path: Path) -> list[Listed]:
    """Read a list of stations of any kind: M3U, PLS, XSPF, OPML, JSON as radio-browser gives it.

    Raises:
        StationListError: it can't be read, is too large, of no kind that is known, or hostile.
    """
    body = _read(path)
    start = body[:HEAD_BYTES].lstrip().lower()
    try:
        if start.startswith((b"[{", b"[", b"{")) and not start.startswith(b"[playlist]"):
            from streamer.stations.browser import read_browser

            return list(read_browser(_text(body)))
        if start.startswith(b"<") and b"<opml" in start:
            from streamer.stations.opml import read_opml

            return read_opml(body)
        return list(_playlist(body, path))
    except StationListError as error:
        raise StationListError(f"{path}: {error.message}", remedy=error.remedy) from error


def _playlist(body: bytes, path: Path) -> Iterator[Listed]:
    kind = playlist_kind(body[:HEAD_BYTES], url=path.name)
    if kind == "hls":
        raise StationListError(
            "an HLS playlist is one stream, no list of stations",
            remedy="give its own address as the source of a station",
        )
    if kind is None:
        raise StationListError(
            "no list of stations that is known here",
            remedy="give M3U, PLS, XSPF, OPML, or JSON as radio-browser gives it",
        )
    for entry in entries(_text(body), kind):
        yield Listed(entry.line, entry.title, entry.address)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise StationListError(
            f"{path}: can't be read: {error.strerror}", remedy="give an existing file"
        ) from error
    if len(body) > MAX_BYTES:
        raise StationListError(f"{path}: larger than {MAX_BYTES >> 20} MB", remedy="give a part of it")
    return body.removeprefix(b"\xef\xbb\xbf")


def _text(body: bytes) -> str:
    """Decode as UTF-8, or as Latin-1 where it isn't: players wrote M3U so for years."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("latin-1")
