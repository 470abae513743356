"""Playlists that lead to streams: M3U, PLS and XSPF in, addresses out. An HLS playlist is told from them."""

import re
from collections.abc import Iterator
from html import unescape
from itertools import islice
from typing import Literal, NamedTuple
from urllib.parse import urljoin, urlsplit

from streamer.errors import SourceHttpError
from streamer.source.sniff import looks_like_text
from streamer.text import redact

MAX_PLAYLIST = 256 * 1024  # bytes: a day of HLS in segments of 6 s is about that; a station's M3U is 200
MAX_ENTRIES = 16  # mirrors of one station; nobody lists more
MAX_DEPTH = 3  # playlists within playlists

Kind = Literal["m3u", "pls", "xspf", "hls"]

_TYPES: dict[str, Kind] = {
    "audio/x-mpegurl": "m3u",
    "audio/mpegurl": "m3u",
    "application/x-mpegurl": "m3u",
    "application/vnd.apple.mpegurl": "m3u",
    "audio/x-scpls": "pls",
    "application/pls+xml": "pls",
    "application/xspf+xml": "xspf",
}
_SUFFIXES: dict[str, Kind] = {".m3u": "m3u", ".m3u8": "m3u", ".pls": "pls", ".xspf": "xspf"}
# Possessive: what doesn't fit is not tried again in other ways, which takes time by the square of its length.
_M3U_INFO = re.compile(r'#EXTINF:\s*+-?[\d.]*+(?:\s*+[\w-]++="[^"]*+")*+\s*+,(.*)', re.IGNORECASE)
_PLS_LINE = re.compile(r"\s*(file|title)(\d*)\s*=(.*)", re.IGNORECASE)
_XSPF_TAG = re.compile(r"<(track|location|title)(?:\s[^<>]*)?>([^<>]*)", re.IGNORECASE)


def playlist_kind(head: bytes, *, content_type: str = "", url: str = "") -> Kind | None:
    """Say which playlist begins with these bytes, None where it is none.

    The bytes decide; what the server calls it and the name only where the bytes are plain text.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"#EXTM3U"):
        return "hls" if b"#EXT-X-" in head else "m3u"
    if start[:10].lower() == b"[playlist]":
        return "pls"
    if start.startswith(b"<") and b"xspf.org/ns" in head:
        return "xspf"
    if not looks_like_text(head) or start.startswith(b"<"):
        return None
    path = urlsplit(url).path.lower()
    by_suffix = next((kind for suffix, kind in _SUFFIXES.items() if path.endswith(suffix)), None)
    kind = _TYPES.get(content_type) or by_suffix
    if kind is None and start[:8].lower().startswith((b"http://", b"https://")):
        return "m3u"
    return kind


class Entry(NamedTuple):
    """One line of a playlist that names something.

    Attributes:
        address: as it stands there, absolute or not.
        title: empty where it has none.
        line: of the address, from 1.
    """

    address: str
    title: str
    line: int


def entries(text: str, kind: Kind) -> Iterator[Entry]:
    """Give the entries of a playlist, in its order."""
    if kind == "pls":
        return _pls(text)
    return _xspf(text) if kind == "xspf" else _m3u(text)


def parse_playlist(body: bytes, kind: Kind, *, url: str) -> list[str]:
    """Give the http and https addresses in a playlist, in its order, relative ones resolved.

    Raises:
        SourceHttpError: there are none.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    addresses: list[str] = []
    for entry in islice(entries(text, kind), 4 * MAX_ENTRIES):
        try:
            address = urljoin(url, entry.address)
            scheme = urlsplit(address).scheme
        except ValueError:
            continue
        if scheme in ("http", "https") and address not in addresses:
            addresses.append(address)
    if not addresses:
        raise SourceHttpError(
            f"{redact(url)}: a playlist without any http or https address in it",
            remedy="open it in a text editor and give the address of a stream",
        )
    return addresses[:MAX_ENTRIES]


def _m3u(text: str) -> Iterator[Entry]:
    title = ""
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if match := _M3U_INFO.match(line):
            title = match.group(1).strip()
        elif line and not line.startswith("#"):
            yield Entry(line, title, number)
            title = ""


def _pls(text: str) -> Iterator[Entry]:
    lines = [(number, _PLS_LINE.match(line)) for number, line in enumerate(text.splitlines(), 1)]
    found = [(number, match[1].lower(), match[2], match[3].strip()) for number, match in lines if match]
    titles = {which: value for _, key, which, value in found if key == "title"}
    for number, key, which, value in found:
        if key == "file" and value:
            yield Entry(value, titles.get(which, ""), number)


def _xspf(text: str) -> Iterator[Entry]:
    tracks: list[tuple[list[tuple[str, int]], list[str]]] = []
    line, at = 1, 0
    for match in _XSPF_TAG.finditer(text):
        line, at = line + text.count("\n", at, match.start()), match.start()
        name, value = match[1].lower(), unescape(match[2]).strip()
        if name == "track" or not tracks:
            tracks.append(([], []))
        if name == "location" and value:
            tracks[-1][0].append((value, line))
        elif name == "title":
            tracks[-1][1].append(value)
    for addresses, titles in tracks:
        for address, number in addresses:
            yield Entry(address, titles[0] if titles else "", number)
