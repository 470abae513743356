"""A report as one HTML file that needs nothing else. Texts in it come from strangers, and are escaped."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from html import escape
from importlib.resources import files
from itertools import islice

from streamer import __version__
from streamer.history.plots import STATES, Key, clock, columns, key_of, strip
from streamer.history.report import UNKNOWN, Report

MOST_BREAKS = 200
# Nothing is run, fetched or framed, whatever a title may say.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(report: Report, now: float) -> str:
    """Give the file."""
    key = key_of(report)
    name = f"{report.station}, {span(report)}"
    css = files("streamer.history").joinpath("report.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(name)}</title>
<style>
{css}</style>
</head>
<body>
<main>
<h1>{escape(report.station)}</h1>
<p>{escape(span(report))}. Times are {_zone(report.begin)}{_so_far(report)}.</p>
{_facts(report)}
<h2>What was played when</h2>
{_legend(report, key)}
{_strips(report, key)}
<h2>Shares by hour of the day</h2>
<figure class="columns">{columns(report.hours(), key)}{_HOURS}</figure>
<h2>Shares</h2>
{_shares(report, key)}
<h2>Interruptions</h2>
{_breaks(report)}
<h2>Tracks</h2>
{_tracks(report)}
<p>genrecast {__version__}, {datetime.fromtimestamp(now).astimezone():%Y-%m-%d %H:%M %Z}</p>
</main>
</body>
</html>
"""


def span(report: Report) -> str:
    """Give the days in words."""
    first, last = report.days[0].date, report.days[-1].date
    if first == last:
        return f"{first:%A} {first.day} {first:%B %Y}"
    return f"{first.day} {first:%B %Y} to {last.day} {last:%B %Y}"


_HOURS = '<div class="hours">' + "".join(f"<span>{h}:00</span>" for h in range(0, 24, 3)) + "</div>"


def _facts(report: Report) -> str:
    genres = [said for said in report.seconds if said not in STATES]
    music = report.share(*genres)
    known = sum(report.seconds.values()) / report.total
    facts = [
        (f"{known - report.share('no-signal'):.1%}", "of the time heard"),
        (f"{report.share('no-signal'):.1%}", "no signal"),
        (f"{max(1 - known, 0.0):.1%}", "not known"),
        (f"{music:.0%}", "music"),
        (genres[0] if genres else "none", "most played"),
        (str(len(report.tracks)), "tracks"),
    ]
    return (
        '<ul class="facts">'
        + "".join(f"<li><b>{escape(figure)}</b>{escape(text)}</li>" for figure, text in facts)
        + "</ul>"
    )


def _legend(report: Report, key: Key) -> str:
    """Give what the colours mean; genres that share one are named once."""
    named: dict[str, str] = {}
    for said in report.seconds:
        named.setdefault(key[said], "other genres" if key[said] == "other" else said)
    order = list(dict.fromkeys(key.values()))
    entries = sorted(named.items(), key=lambda entry: order.index(entry[0]))
    return '<ul class="key">' + "".join(f"<li>{_dot(c)}{escape(said)}</li>" for c, said in entries) + "</ul>"


def _dot(colour: str) -> str:
    return f'<svg viewBox="0 0 1 1" aria-hidden="true"><rect class="{colour}" width="1" height="1"/></svg>'


def _strips(report: Report, key: Key) -> str:
    return "\n".join(
        f'<figure class="strip"><figcaption>{day.date:%a} {day.date}</figcaption>'
        f"{strip(report, day, key)}{_HOURS if day is report.days[-1] else ''}</figure>"
        for day in report.days
    )


def _shares(report: Report, key: Key) -> str:
    most = max(report.seconds.values())
    rows = []
    for said, seconds in report.seconds.items():
        bar = (
            f'<svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="{key[said]}" width="{100 * seconds / most:.1f}" height="1"/></svg>'
        )
        rows.append(
            (
                ("", escape(said)),
                ("number", f"{report.share(said):.1%}"),
                ("number", length(seconds)),
                ("bar", bar),
            )
        )
    return _table(("", "share of the time", "h:min:s", ""), rows)


def _breaks(report: Report) -> str:
    found = list(islice(report.breaks(), MOST_BREAKS + 1))
    if not found:
        return "<p>None.</p>"
    words = {UNKNOWN: "nothing known", "no-signal": "no signal"}
    rows = [
        (
            ("time", _day_and_time(report, one.begin)),
            ("number", length(one.end - one.begin)),
            ("title", words[one.what]),
        )
        for one in found[:MOST_BREAKS]
    ]
    more = f"<p>Only the first {MOST_BREAKS} are shown.</p>" if len(found) > MOST_BREAKS else ""
    return _table(("from", "h:min:s", ""), rows) + more


def _tracks(report: Report) -> str:
    if not report.tracks:
        return "<p>None: the station names no titles, or none has ended.</p>"
    rows = [
        (
            ("time", _day_and_time(report, track.start)),
            ("number", length(track.seconds)),
            ("title", f'<bdi dir="auto">{escape(track.title or "")}</bdi>'),
            ("", escape(track.genre or "-")),
            ("number", "" if track.confidence is None else f"{track.confidence:.0%}"),
        )
        for track in report.tracks
    ]
    return _table(("from", "h:min:s", "title", "verdict", ""), rows)


def _table(names: Sequence[str], rows: Iterable[Sequence[tuple[str, str]]]) -> str:
    """Give a table of (class, HTML) cells, already escaped."""
    rows = list(rows)
    kinds = [kind for kind, _ in rows[0]]
    head = "".join(f'<th scope="col" class="{k}">{escape(n)}</th>' for k, n in zip(kinds, names, strict=True))
    body = "\n".join(
        "<tr>" + "".join(f'<td class="{kind}">{cell}</td>' for kind, cell in row) + "</tr>" for row in rows
    )
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def length(seconds: float) -> str:
    """Give a length of time as h:min:s."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def _day_and_time(report: Report, moment: float) -> str:
    day = "" if len(report.days) == 1 else f"{datetime.fromtimestamp(moment):%a} "
    return escape(day + clock(moment))


def _zone(moment: float) -> str:
    local = datetime.fromtimestamp(moment).astimezone()
    return escape(f"{local:%Z} (UTC{local.isoformat()[-6:]})")


def _so_far(report: Report) -> str:
    return "" if report.end == report.days[-1].end else f"; told up to {_day_and_time(report, report.end)}"
