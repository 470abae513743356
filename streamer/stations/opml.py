"""OPML, as TuneIn and podcast programs write it: outlines within outlines."""

from typing import NoReturn
from xml.parsers import expat

from streamer.errors import StationListError
from streamer.stations.read import Listed

MAX_DEPTH = 64  # of outlines; directories have five


def read_opml(body: bytes) -> list[Listed]:
    """Give the outlines that have an address. Entities are not expanded: a document type is refused.

    Raises:
        StationListError: it is no XML, has a document type, or is nested too deep.
    """
    parser = expat.ParserCreate()
    found: list[Listed] = []
    groups: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(groups) == MAX_DEPTH:
            raise StationListError(
                f"line {parser.CurrentLineNumber}: nested deeper than {MAX_DEPTH}",
                remedy="give a flatter list",
            )
        given = {key.lower(): value.strip() for key, value in attributes.items()}
        title = given.get("text") or given.get("title", "")
        groups.append(title if name == "outline" else "")
        url = given.get("url") or given.get("streamurl", "")
        if name == "outline" and (url or "xmlurl" in given):
            about = ", ".join(group for group in groups[:-1] if group)
            found.append(Listed(parser.CurrentLineNumber, title, url, about, _wrong(given)))

    def refuse(*_: object) -> NoReturn:
        raise StationListError(
            f"line {parser.CurrentLineNumber}: a document type, which may hide anything",
            remedy="take the <!DOCTYPE ...> away; OPML needs none",
        )

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda name: groups.pop()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise StationListError(
            f"line {error.lineno}: no XML: {expat.ErrorString(error.code)}", remedy="export it again"
        ) from error
    return found


def _wrong(given: dict[str, str]) -> str:
    if given.get("type", "").lower() == "link":
        return "leads to another list, not to a station"
    return "" if given.get("url") or given.get("streamurl") else "a feed, not a station"
