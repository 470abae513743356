"""The page in a real browser: what people see and reach by the keyboard, and what strangers can't do."""

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from streamer.publish.messages import Mel, utc
from tests.page.conftest import PageProcess
from tests.page.on_air import HOSTILE
from tests.system.conftest import wait_until

pytestmark = pytest.mark.system

STATIONS = {
    "kexp": "jazz",
    "wfmu": "rock",
    "talk": "speech",
    "calm": "silence",
    "hmm": "unsure",
    "far": "no-signal",
}


@pytest.fixture(autouse=True)
def stations(air):
    """The same stations at the beginning of each test, whatever the one before had them play."""
    air.heartbeat()
    air.status("far", "lost", "source-connection", "reset by peer")
    for station, what in STATIONS.items():
        air.says(station, what, title="Nina Simone - Sinnerman" if what == "jazz" else None)


def row(tab, station: str):
    return tab.locator("#rows tr", has=tab.get_by_role("link", name=station, exact=True))


def names(tab) -> list[str]:
    return tab.locator("#rows tr:not(.space) th a").all_inner_texts()


def test_all_stations_are_shown_and_offline_quiet_and_unsure_are_told_apart(page, look):
    tab = look(page.url)

    expect(row(tab, "kexp")).to_contain_text("jazz80 %")
    expect(row(tab, "kexp")).to_contain_text("Nina Simone - Sinnerman")
    expect(row(tab, "far")).to_contain_text("offline")
    expect(row(tab, "far")).to_contain_text("reset by peer")
    expect(row(tab, "calm")).to_contain_text("quiet")
    expect(row(tab, "hmm")).to_contain_text("unsure80 %")
    looks = {
        tab.locator(f"#rows .now .swatch.is-{name}").count() for name in ("no-signal", "silence", "unsure")
    }
    assert looks == {1}
    expect(tab.locator("#link-text")).to_have_text("live")
    expect(tab.locator("#daemon")).to_contain_text("genrecast 9.9")


def test_what_changes_is_shown_and_read_aloud_for_the_focused_station_alone(air, page, look):
    tab = look(page.url)
    row(tab, "kexp").get_by_role("link").focus()
    air.says("wfmu", "metal")
    air.says("kexp", "blues", title="B. B. King")

    expect(row(tab, "kexp")).to_contain_text("blues")
    expect(row(tab, "wfmu")).to_contain_text("metal")
    expect(tab.locator("#spoken")).to_have_text("kexp: blues")


def test_it_is_filtered_sorted_and_walked_by_the_keyboard(page, look):
    tab = look(page.url)
    expect(row(tab, "kexp")).to_be_visible()
    tab.keyboard.press("/")
    tab.keyboard.type("sinner")
    expect(tab.locator("#count")).to_have_text("1 of 6")
    assert names(tab) == ["kexp"]
    tab.keyboard.press("Escape")
    expect(tab.locator("#count")).to_have_text("6 stations")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("End")
    tab.keyboard.press("ArrowUp")
    focused = tab.evaluate("document.activeElement.textContent")
    tab.keyboard.press("Enter")

    assert focused == "talk"
    tab.wait_for_url("**/station/talk")


def test_sorting_is_told_to_screen_readers_and_kept_in_the_address(page, look):
    tab = look(page.url)
    expect(row(tab, "kexp")).to_be_visible()
    tab.get_by_role("button", name="Station").click()

    expect(tab.get_by_role("columnheader", name="Station")).to_have_attribute("aria-sort", "descending")
    assert names(tab) == sorted(STATIONS, reverse=True)
    assert "down" in tab.url
    tab.reload()
    expect(row(tab, "kexp")).to_be_visible()
    assert names(tab) == sorted(STATIONS, reverse=True)


def test_a_button_shows_the_stations_of_one_genre(page, look):
    tab = look(page.url)
    tab.get_by_role("button", name="offline 1").click()

    expect(tab.locator("#count")).to_have_text("1 of 6")
    assert names(tab) == ["far"]


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
@pytest.mark.parametrize("path", ["", "station/kexp"])
def test_axe_finds_nothing_serious(page, look, path, width, scheme):
    # Axe puts itself into the page, which the page's own policy forbids.
    tab = look(page.url + path, width=width, color_scheme=scheme, bypass_csp=True)
    expect(tab.locator("#link-text")).to_have_text("live")

    found = Axe().run(tab).response["violations"]

    serious = [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]
    assert serious == []


def test_a_title_is_text_whatever_is_in_it(air, page, look):
    tab, one = look(page.url), look(page.url + "station/kexp")
    expect(one.locator("#what")).to_have_text("jazz")
    for station, title in zip(STATIONS, HOSTILE, strict=False):
        air.says(station, "pop", title=title)
        air.track("kexp", title)
    air.status("far", "lost", "source-http", HOSTILE[1])

    for station, title in zip(STATIONS, HOSTILE, strict=False):
        expect(row(tab, station).locator(".title")).to_contain_text(title[-12:])
        expect(one.locator("#tracks")).to_contain_text(title[-12:])
    expect(row(tab, "far").locator(".title")).to_contain_text(HOSTILE[1])
    expect(one.locator("#title")).to_contain_text(HOSTILE[0])
    for window in (tab, one):
        assert "owned" not in window.title()
        assert window.locator("main svg, main script, main img").count() == 0


def test_script_can_make_no_markup_and_load_nothing_foreign(page, look):
    tab = look(page.url)

    with pytest.raises(Exception, match="TrustedHTML"):
        tab.evaluate("document.body.innerHTML = '<img src=x>'")
    tab.evaluate("fetch('http://127.0.0.1:1/').catch(() => {})")
    assert any("Content Security Policy" in said for said in look.complaints)
    look.complaints.clear()


def test_times_are_those_of_the_viewers_zone(air, page, look):
    """A zone that is a quarter of an hour apart from all servers'."""
    since = datetime.now(ZoneInfo("Asia/Kathmandu"))
    air.says("kexp", "country")
    tab = look(page.url, timezone_id="Asia/Kathmandu", locale="en-GB")
    shown = row(tab, "kexp").locator("time")

    expect(shown).not_to_be_empty()
    hour, minute = map(int, shown.inner_text().split(":"))
    assert abs((hour * 60 + minute) - (since.hour * 60 + since.minute)) <= 1
    assert shown.get_attribute("datetime").endswith("Z")


def test_a_station_has_its_probabilities_spectrogram_and_tracks(air, page, look):
    tab = look(page.url + "station/kexp")
    expect(tab.locator("#what")).to_have_text("jazz")
    expect(tab.locator("#mel-wait")).to_be_visible()
    wait_until(lambda: "kexp" in air.demand, "demand")
    air.send(
        Mel(
            station="kexp", seq=0, boot=air.boot, time=utc(time.time()), position=1.0, seconds=1.0,
            columns=10, bands=4, floor_db=0.0, step_db=1.0, data=bytes(range(40)),
        )
    )  # fmt: skip
    air.track("kexp", "Feeling Good")
    air.says("kexp", "blues")

    expect(tab.locator("#tracks")).to_contain_text("Feeling Good")
    expect(tab.locator("#mel-wait")).to_be_hidden()
    expect(tab.locator("#spoken")).to_have_text("now blues")
    tab.wait_for_function("""() => {
        const canvas = document.getElementById('mel');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value, i) => i % 4 === 0 && value > 200);
    }""")


def test_a_phone_sees_it_all_without_scrolling_sideways(page, look):
    for path in ("", "station/kexp"):
        tab = look(page.url + path, width=390, height=844)
        expect(tab.locator("#link-text")).to_have_text("live")

        assert tab.evaluate("document.documentElement.scrollWidth") == 390


def test_the_colours_chosen_stay(page, look):
    tab = look(page.url, color_scheme="light")
    button = tab.locator("#theme")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = tab.evaluate(ground)
    button.click()
    button.click()
    dark = tab.evaluate(ground)
    tab.reload()

    assert button.get_attribute("aria-label") == "Colours: dark"
    assert tab.evaluate(ground) == dark != light


def test_of_many_stations_only_those_in_sight_are_rows_and_all_can_be_reached(air, look):
    many = PageProcess("--connect", air.bus.endpoint, "--bind", "127.0.0.1:0")
    for number in range(300):
        air.says(f"many-{number:03}", "pop")
    try:
        tab = look(many.url)
        expect(tab.locator("#count")).to_have_text("306 stations")
        rows = tab.locator("#rows tr:not(.space)")
        first = rows.count()
        tab.keyboard.press("/")
        tab.keyboard.press("ArrowDown")
        tab.keyboard.press("End")

        assert first < 60
        assert rows.count() < 60
        assert tab.evaluate("document.activeElement.textContent") == "wfmu"
        assert tab.get_by_role("table").get_attribute("aria-rowcount") == "307"
        assert row(tab, "wfmu").get_attribute("aria-rowindex") == "307"
        tab.close()
    finally:
        many.close()


def test_a_page_that_has_lost_its_server_says_so_and_finds_it_again(air, look):
    first = PageProcess("--connect", air.bus.endpoint, "--bind", "127.0.0.1:0")
    tab = look(first.url)
    expect(tab.locator("#link-text")).to_have_text("live")
    first.close()
    expect(tab.get_by_role("alert")).to_contain_text("The page's server can't be reached since")

    bind = first.url.removeprefix("http://").rstrip("/")
    second = PageProcess("--connect", air.bus.endpoint, "--bind", bind)
    try:
        expect(tab.locator("#link-text")).to_have_text("live", timeout=20_000)
        expect(tab.get_by_role("alert")).to_be_hidden()
    finally:
        second.close()
    tab.close()
    look.complaints.clear()  # the browser has told of each attempt that failed


@pytest.mark.slow
def test_a_page_that_has_lost_the_daemon_says_so_and_since_when(air, page, look):
    """The last test of the module: nobody speaks any more."""
    tab = look(page.url)
    expect(tab.locator("#link-text")).to_have_text("live")
    air.close()

    expect(tab.locator("#link-text")).to_have_text("no daemon", timeout=30_000)
    expect(tab.get_by_role("alert")).to_contain_text("Nothing has been heard of the daemon since")
    expect(row(tab, "kexp")).to_be_visible()
