"""`genrecast report`: one file that says what was played, and in which nothing a stranger wrote can act."""

from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from streamer.errors import HistoryError
from streamer.history.report import Break, gather, one_day, one_week
from streamer.history.report_page import page
from streamer.history.rows import Open, Segment
from streamer.history.store import Store
from streamer.history.when import beginning
from tests.cli.conftest import genrecast  # noqa: F401
from tests.history.a_week import HOSTILE, write

pytestmark = pytest.mark.usefixtures("berlin")

CHROMIUM = Path("/usr/bin/chromium")
MONDAY = date(2026, 11, 16)


@pytest.fixture
def store(tmp_path):
    store = Store.open(str(tmp_path / "history.sqlite"), write=True)
    yield store
    store.close()


def segment(start: float, end: float, what: str) -> Segment:
    state, genre = (what, None) if what in ("speech", "no-signal") else ("music", what)
    return Segment("kexp", state, genre, 0.8, start, end)


def test_time_is_told_where_it_went_and_what_reaches_over_midnight_is_cut(store):
    begin = beginning(MONDAY)
    hour = 3600
    store.write(
        [
            segment(begin - hour, begin + hour, "jazz"),
            segment(begin + hour, begin + 2 * hour, "no-signal"),
            segment(begin + 3 * hour, begin + 22 * hour, "rock"),
            segment(begin + 22 * hour, begin + 25 * hour, "speech"),
        ],
        [],
        [Open("b", segment(begin + 25 * hour, begin + 26 * hour, "rock"))],
    )

    report = gather(store, "kexp", one_day(MONDAY), now=begin + 99 * hour)

    assert report.seconds == {"rock": 19 * hour, "speech": 2 * hour, "jazz": hour, "no-signal": hour}
    assert list(report.breaks()) == [
        Break("no-signal", begin + hour, begin + 2 * hour),
        Break("unknown", begin + 2 * hour, begin + 3 * hour),
    ]
    assert [(h.hour, h.seconds) for h in report.hours()[:4]] == [
        (0, {"jazz": hour}),
        (1, {"no-signal": hour}),
        (2, {}),
        (3, {"rock": hour}),
    ]


@pytest.mark.parametrize(("day", "hours", "third"), [("2026-10-25", 25, 2), ("2026-03-29", 23, 0)])
def test_a_day_on_which_the_clock_is_set_has_its_own_length(store, day, hours, third):
    (one,) = one_day(date.fromisoformat(day))
    store.write(
        [segment(one.begin, one.begin + 86_000, "jazz"), segment(one.begin + 86_000, one.end, "jazz")], [], []
    )

    report = gather(store, "kexp", [one], now=one.end)

    assert report.total == hours * 3600
    assert report.share("jazz") == pytest.approx(1)
    assert report.hours()[2].possible == third * 3600
    assert report.hours()[2].seconds.get("jazz", 0) == third * 3600


def test_today_is_told_up_to_now(store):
    begin = beginning(MONDAY)
    store.write([segment(begin, begin + 3600, "jazz")], [], [])

    report = gather(store, "kexp", one_day(MONDAY), now=begin + 7200)

    assert report.share("jazz") == 0.5
    assert "told up to 02:00:00" in page(report, begin + 7200)


def test_a_week_begins_on_monday():
    days = one_week(date(2026, 11, 18))

    assert (days[0].date, days[-1].date) == (MONDAY, date(2026, 11, 22))


def test_a_day_of_which_nothing_is_known_is_an_error(store):
    with pytest.raises(HistoryError, match="2026-11-16"):
        gather(store, "kexp", one_day(MONDAY), now=beginning(MONDAY) + 1e6)


def test_the_page_is_whole_and_every_tag_is_ours(store):
    write(store, beginning(MONDAY), 7)
    report = gather(store, "kexp", one_week(MONDAY), now=beginning(MONDAY) + 1e6)

    tags: set[str] = set()
    attributes: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.add(tag)
            attributes.update(name for name, _ in attrs)

    Reader().feed(page(report, 0.0))

    assert tags == {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "ul", "li", "b", "bdi",
        "div", "span", "figure", "figcaption", "svg", "rect", "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip
    assert not {name for name in attributes if name.startswith("on") or name in ("src", "href", "style")}


def test_the_command_writes_the_file_whole_and_names_what_is_wrong(genrecast, store, tmp_path):  # noqa: F811
    write(store, beginning(MONDAY), 2)
    out, db = tmp_path / "report.html", tmp_path / "history.sqlite"

    done = genrecast("report", "--db", db, "--station", "kexp", "--day", MONDAY, "--out", out)

    assert done.returncode == 0, done.stderr
    assert out.read_text().endswith("</html>\n")
    for args, status, words in (
        (["--station", "kxp", "--day", MONDAY, "--out", out], 10, "kexp"),
        (["--station", "kexp", "--day", "1999-01-01", "--out", out], 10, "1999-01-01"),
        (["--station", "kexp", "--day", "someday", "--out", out], 2, "someday"),
        (["--station", "kexp", "--day", MONDAY, "--week", MONDAY, "--out", out], 2, "--week"),
        (["--station", "kexp", "--day", MONDAY, "--out", "/nowhere/x.html"], 10, "/nowhere/x.html"),
        (["--station", "kexp", "--day", MONDAY], 2, "--out"),
    ):
        done = genrecast("report", "--db", db, *args)
        assert done.returncode == status, (args, done.stderr)
        assert words in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.system
@pytest.mark.slow
def test_a_browser_shows_it_by_itself_and_titles_do_nothing(store, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("not installed: chromium (make setup installs it)")
    write(store, beginning(MONDAY), 3)
    report = gather(store, "kexp", one_week(MONDAY), now=beginning(MONDAY) + 1e6)
    path = tmp_path / "report.html"
    path.write_text(page(report, 0.0), encoding="utf-8")
    asked, said = [], []

    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        for width, scheme in ((1280, "light"), (390, "dark")):
            context = browser.new_context(
                viewport={"width": width, "height": 900}, color_scheme=scheme, timezone_id="Pacific/Auckland"
            )
            tab = context.new_page()
            tab.on("request", lambda request: asked.append(request.url))
            tab.on("console", lambda message: said.append(message.text))
            tab.goto(path.as_uri())

            assert tab.title() == "kexp, 16 November 2026 to 22 November 2026"
            assert tab.evaluate("document.documentElement.scrollWidth") == width
            assert tab.locator("figure svg").first.bounding_box()["height"] > 20
            assert set(HOSTILE) <= set(tab.locator("bdi").all_text_contents())
            context.close()
        browser.close()

    assert set(asked) == {path.as_uri()}
    assert said == []
