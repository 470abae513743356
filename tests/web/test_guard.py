"""Who may ask what of the page and of the metrics."""

from http.client import HTTPConnection

import pytest

from streamer.web.guard import HEADERS

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def closed(new_site):
    """A server that demands a token."""
    return new_site(bind="0.0.0.0:0", token=TOKEN)


def test_a_question_is_answered(site):
    answer = site.ask("/?a=1")

    assert (answer.status, answer.text) == (200, "hello a=1")


@pytest.mark.parametrize("path", ["/", "/nowhere", "/broken"])
def test_every_answer_tells_browsers_to_load_nothing_foreign(site, path):
    answer = site.ask(path)

    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "NONSENSE"])
def test_nothing_can_be_written(site, method):
    assert site.ask("/", method).status == 405


def test_a_body_is_refused(site):
    connection = HTTPConnection("127.0.0.1", site.port, timeout=10)
    connection.request("GET", "/", body=b"x" * 100)

    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost:99", "[::1]:8567", "Radio.Example", "radio.example:80"]
)
def test_known_hosts_are_served(site, host):
    assert site.ask(Host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "", "10.0.0.1", "localhost.evil.example", "127.0.0.1.nip.io"]
)
def test_a_host_that_is_not_ours_is_refused(site, host):
    """DNS rebinding: a stranger's name that leads to this machine."""
    assert site.ask(Host=host).status == 403


def test_where_all_addresses_are_bound_each_of_them_is_served_and_no_name(closed):
    pass_ = {"Authorization": f"Bearer {TOKEN}"}

    assert closed.ask(Host="192.168.1.5:8567", **pass_).status == 200
    assert closed.ask(Host="evil.example", **pass_).status == 403


@pytest.mark.parametrize("site_of_origin", ["cross-site", "same-site"])
def test_another_sites_page_may_not_ask(site, site_of_origin):
    answer = site.ask("/", Sec_Fetch_Site=site_of_origin, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="script")

    assert answer.status == 403


def test_a_link_from_elsewhere_may_be_followed_and_no_frame_be_made(site):
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}

    assert site.ask("/", **link, Sec_Fetch_Dest="document").status == 200
    assert site.ask("/", **link, Sec_Fetch_Dest="iframe").status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic abc"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Cookie": "genrecast-00000000=nonsense"},
        {"Cookie": "\xff;;;="},
    ],
)
def test_without_the_token_nobody_is_served(closed, headers):
    answer = closed.ask(**headers)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_program_shows_the_token_with_each_question(closed):
    assert closed.ask(Authorization=f"Bearer {TOKEN}").status == 200


def test_a_browser_shows_the_token_once_and_it_leaves_the_address(closed):
    first = closed.ask(f"/deep/page?a=1&token={TOKEN}")
    cookie = first.headers["Set-Cookie"]

    assert (first.status, first.headers["Location"]) == (303, "./page?a=1")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert closed.ask(Cookie=cookie.partition(";")[0]).status == 200


def test_a_wrong_token_in_the_address_opens_nothing(closed):
    assert closed.ask("/?token=wrong").status == 401


def test_a_fault_of_ours_is_told_without_a_traceback(site):
    answer = site.ask("/broken")

    assert (answer.status, "ValueError" in answer.text) == (500, False)
