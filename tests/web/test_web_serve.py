"""What is served ends cleanly, has limits, and says where it can't be."""

import contextlib
import signal
import socket

import pytest

from streamer.check.load import check_config
from streamer.config import Config, StationConfig
from streamer.errors import ConfigError, WebError
from streamer.sections import PageConfig
from streamer.web.serve import MAX_CONNECTIONS, MAX_HEADERS, listen


def test_an_address_in_use_is_told():
    with listen("127.0.0.1:0") as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(WebError, match=rf"'{bind}': Address already in use"):
            listen(bind)


@pytest.mark.parametrize("bind", ["203.0.113.1:8567", "no-such-host.invalid:80"])
def test_an_address_of_another_machine_is_told(bind):
    with pytest.raises(WebError, match="can't serve on"):
        listen(bind)


def test_asked_to_end_it_ends_open_streams_within_half_a_second(new_site):
    site = new_site()
    with site.open("/endless") as stream:
        assert stream.readline() == b"first\n"

        site.process.send_signal(signal.SIGTERM)

        assert stream.read() == b"last\n"
        assert site.process.wait(5) == 0
        assert site.process.stderr.read() == ""


def test_endless_headers_are_cut_off(site):
    with socket.create_connection(("127.0.0.1", site.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * MAX_HEADERS)

        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")


def test_too_many_connections_are_refused_and_the_next_is_served_when_they_go(new_site):
    site = new_site()
    with contextlib.ExitStack() as held:
        for _ in range(MAX_CONNECTIONS):
            held.enter_context(socket.create_connection(("127.0.0.1", site.port), timeout=10))

        with pytest.raises(ConnectionError):
            site.ask()

    assert _served_in_the_end(site)


def _served_in_the_end(site) -> bool:
    for _ in range(100):  # the server must first see that the others have gone
        with contextlib.suppress(ConnectionError):
            return site.ask().status == 200
    return False


@pytest.mark.parametrize(
    "bind", ["8567", "localhost", "127.0.0.1:http", "127.0.0.1:99999", "::1:80", "[x]:1", ":80"]
)
def test_a_malformed_address_is_told_with_its_section(bind):
    with pytest.raises(ConfigError, match=r"f\.toml: \[page\] bind = .* is no address and port"):
        _check(bind=bind)


def test_beyond_loopback_a_token_is_demanded():
    with pytest.raises(ConfigError, match="can be reached from other machines, and there is no token"):
        _check(bind="0.0.0.0:8567")
    with pytest.raises(ConfigError, match="page: token"):
        _check(bind="0.0.0.0:8567", token="short")

    _check(bind="0.0.0.0:8567", token="long-enough-for-this")
    _check(bind="[::1]:8567")


@pytest.mark.parametrize("base_path", ["genrecast", "/genrecast/", "/a//b", '/"><script>'])
def test_a_base_path_that_is_none_is_told(base_path):
    with pytest.raises(ConfigError, match="base_path"):
        _check(base_path=base_path)


def _check(**page: object) -> None:
    station = StationConfig(id="a", source="a.mp3")
    check_config(Config(station=(station,), page=PageConfig(**page)), name="f.toml")
