"""A real server behind the guard, asked over real connections."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]


class Site:
    """A server in a process of its own, and one request a connection to it."""

    def __init__(self, **config: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.web.hello", json.dumps({"bind": "127.0.0.1:0"} | config)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.address = urlsplit(self.process.stdout.readline().strip())
        self.port = self.address.port

    @contextmanager
    def open(self, path: str = "/", method: str = "GET", **headers: str) -> Iterator[HTTPResponse]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
            yield connection.getresponse()
        finally:
            connection.close()

    def ask(self, path: str = "/", method: str = "GET", **headers: str) -> HTTPResponse:
        with self.open(path, method, **headers) as answer:
            answer.text = answer.read().decode()
            return answer

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture(scope="module")
def new_site() -> Iterator[Callable[..., Site]]:
    """Starts servers, and ends them after the module's last test."""
    sites: list[Site] = []

    def new(**config: object) -> Site:
        sites.append(Site(**config))
        return sites[-1]

    yield new
    for site in sites:
        site.close()


@pytest.fixture(scope="module")
def site(new_site: Callable[..., Site]) -> Site:
    """A server on loopback, without a token."""
    return new_site(hosts=["radio.example"])
