"""URI to source: the one place that knows which kinds of source there are.

A new kind is a file beside this one, a function here that reads its parameters, and a line in `_KINDS`.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from streamer.errors import SourceUriError
from streamer.source.base import Source
from streamer.source.pcm import MAX_CHANNELS, MAX_RATE, PCM_BYTES

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
_Make = Callable[[], Source]


def open_source(uri: str, *, charset: str = "latin-1", allow_private: bool | Sequence[str] = ()) -> Source:
    """Make the source that a URI names. Nothing is opened yet: that happens as its events are read.

    Args:
        uri: `soundcard:`, `http:`, `https:`, `file:`, `stdin:`, or a path.
        charset: how titles are encoded where they are not UTF-8.
        allow_private: where radio may lead beside the public internet (`SecurityConfig`).

    Raises:
        SourceUriError: the scheme or a parameter is unknown or malformed.
    """
    return _parse(uri, charset, allow_private)()


def check_uri(uri: str) -> None:
    """Raise what `open_source` would, without opening or importing anything heavy."""
    _parse(uri, "latin-1", ())


def file_of(uri: str) -> Path | None:
    """Give the file that a valid URI names, None where it names something else."""
    match = _SCHEME.match(uri)
    if match is None:
        return Path(uri)
    rest = uri[match.end() :].partition("?")[0]
    return _path(unquote(rest)) if match.group(1).lower() == "file" else None


def _parse(uri: str, charset: str, allow_private: bool | Sequence[str]) -> _Make:
    match = _SCHEME.match(uri)
    if not uri or "\0" in uri:
        raise SourceUriError("source: empty or malformed", remedy="give a URI or a path")
    if match is None:
        return _file(uri, {})
    scheme = match.group(1).lower()
    if scheme in ("http", "https"):
        return _radio(uri, charset, allow_private)
    if scheme not in _KINDS:
        raise SourceUriError(
            f"source '{scheme}:': unknown scheme",
            remedy="use soundcard:, http:, https:, file: or stdin:, "
            "or './' before the path of a file whose name holds ':'",
        )
    allowed, make = _KINDS[scheme]
    rest, question, query = uri[match.end() :].partition("?")
    return make(unquote(rest), _parameters(scheme, query, allowed) if question else {})


def _radio(url: str, charset: str, allow_private: bool | Sequence[str]) -> _Make:
    from streamer.source.url import check_url

    check_url(url)

    def make() -> Source:
        from streamer.source.address import AddressPolicy
        from streamer.source.radio import RadioSource

        return RadioSource(url, policy=AddressPolicy.of(allow_private, url), charset=charset)

    return make


def _path(rest: str) -> Path:
    """Read what stands behind `file:`."""
    if rest.startswith("//"):
        host, _, path = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise SourceUriError(
                f"source 'file://{host}/...': a file on another host", remedy="write file:///path"
            )
        rest = "/" + path
    if not rest:
        raise SourceUriError("source 'file:': no path", remedy="write file:/path or the path alone")
    return Path(rest)


def _file(rest: str, parameters: dict[str, str]) -> _Make:
    path = _path(rest)
    pace = parameters.get("pace", "max")
    if pace not in ("max", "live"):
        raise _bad("file", "pace", pace, "max or live")

    def make() -> Source:
        from streamer.source.file import FileSource

        return FileSource(path, pace="live" if pace == "live" else "max")

    return make


def _stdin(rest: str, parameters: dict[str, str]) -> _Make:
    if rest:
        raise SourceUriError(
            f"source 'stdin:{rest[:40]}': nothing goes here", remedy="write stdin:?rate=44100&channels=2"
        )
    rate = _number("stdin", "rate", parameters, 1000, MAX_RATE) or 44_100
    channels = _number("stdin", "channels", parameters, 1, MAX_CHANNELS) or 2
    pcm_format = parameters.get("format", "s16le")
    if pcm_format not in PCM_BYTES:
        raise _bad("stdin", "format", pcm_format, ", ".join(PCM_BYTES))

    def make() -> Source:
        from streamer.source.stdin import StdinSource

        return StdinSource(rate=rate, channels=channels, pcm_format=pcm_format)

    return make


def _soundcard(rest: str, parameters: dict[str, str]) -> _Make:
    channel = _number("soundcard", "channel", parameters, 1, 256)
    rate = _number("soundcard", "rate", parameters, 1000, MAX_RATE)

    def make() -> Source:
        from streamer.source.soundcard import SoundcardSource

        return SoundcardSource(rest, channel=channel, rate=rate)

    return make


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[str, dict[str, str]], _Make]]] = {
    "file": (("pace",), _file),
    "stdin": (("rate", "channels", "format"), _stdin),
    "soundcard": (("channel", "rate"), _soundcard),
}
"""For each scheme the parameters it knows, and what reads them."""


def _parameters(scheme: str, query: str, allowed: tuple[str, ...]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in allowed:
            raise SourceUriError(
                f"source '{scheme}:': unknown parameter '{key[:40]}'", remedy=f"use {', '.join(allowed)}"
            )
        if key in parameters:
            raise SourceUriError(f"source '{scheme}:': parameter '{key}' twice", remedy="give it once")
        parameters[key] = value
    return parameters


def _number(scheme: str, key: str, parameters: dict[str, str], low: int, high: int) -> int | None:
    value = parameters.get(key)
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 10 and low <= int(value) <= high):
        raise _bad(scheme, key, value, f"a whole number from {low} to {high}")
    return int(value)


def _bad(scheme: str, key: str, value: str, allowed: str) -> SourceUriError:
    return SourceUriError(
        f"source '{scheme}:': {key} = '{value[:40]}' can't be used", remedy=f"use {allowed}"
    )
