"""JSON as radio-browser gives it: a list of objects with `name`, `url_resolved` or `url`, and more."""

import json
import re
from collections.abc import Iterator
from typing import Any

from streamer.errors import StationListError
from streamer.stations.read import Listed

_BLANK = re.compile(r"[\s,]*")


def read_browser(text: str) -> Iterator[Listed]:
    """Give the stations of a list, each with its line.

    Raises:
        StationListError: it is no list, no JSON, or nested too deep.
    """
    decoder = json.JSONDecoder()
    at = len(text) - len(text.lstrip())
    if not text.startswith("[", at):
        raise StationListError(
            "an object, where a list of stations is expected", remedy="give a list: [{...}, ...]"
        )
    at += 1
    line, counted = 1, 0
    while True:
        match = _BLANK.match(text, at)
        at = match.end() if match else at
        line, counted = line + text.count("\n", counted, at), at
        if text.startswith("]", at):
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except RecursionError as error:
            raise StationListError(f"line {line}: nested too deep", remedy="give a flat list") from error
        except ValueError as error:
            where = error.lineno if isinstance(error, json.JSONDecodeError) else line
            raise StationListError(f"line {where}: no JSON", remedy="export it again") from error
        yield _listed(value, line)


def _listed(value: Any, line: int) -> Listed:
    if not isinstance(value, dict):
        return Listed(line, "", "", wrong="no object")
    url = _word(value, "url_resolved") or _word(value, "url")
    bitrate = value.get("bitrate")
    codec = _word(value, "codec") + (f" {bitrate} kbit/s" if isinstance(bitrate, int) and bitrate > 0 else "")
    about = (_word(value, "countrycode"), codec.strip(), _word(value, "tags").replace(",", " "))
    return Listed(line, _word(value, "name"), url, ", ".join(word for word in about if word))


def _word(value: dict[str, Any], key: str) -> str:
    word = value.get(key)
    return word.strip() if isinstance(word, str) else ""
