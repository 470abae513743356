"""Playlists that lead to streams: M3U, PLS and XSPF in, addresses out. An HLS playlist is told from them."""

import re
from typing import Literal
from urllib.parse import urljoin, urlsplit

from streamer.errors import SourceHttpError
from streamer.source.sniff import looks_like_text
from streamer.source.url import redact

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
_PLS_FILE = re.compile(r"file\d*", re.IGNORECASE)
_XSPF_LOCATION = re.compile(r"<location>([^<>]+)</location>", re.IGNORECASE)


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


def parse_playlist(body: bytes, kind: Kind, *, url: str) -> list[str]:
    """Give the http and https addresses in a playlist, in its order, relative ones resolved.

    Raises:
        SourceHttpError: there are none.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", errors="replace")
    if kind == "pls":
        pairs = (line.partition("=") for line in text.splitlines())
        entries = [value.strip() for key, _, value in pairs if value and _PLS_FILE.fullmatch(key.strip())]
    elif kind == "xspf":
        entries = [entry.strip().replace("&amp;", "&") for entry in _XSPF_LOCATION.findall(text)]
    else:
        lines = (line.strip() for line in text.splitlines())
        entries = [line for line in lines if line and not line.startswith("#")]
    addresses: list[str] = []
    for entry in entries[: 4 * MAX_ENTRIES]:
        try:
            address = urljoin(url, entry)
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
