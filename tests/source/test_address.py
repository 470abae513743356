"""Where a stream may lead: each hop's addresses are held against the policy before a connection is made."""

import asyncio
import socket
from ipaddress import ip_address

import pytest
from loopback import listen, ok, pages, redirect, serve

from streamer.errors import SourceForbiddenError
from streamer.source.address import AddressPolicy, is_public
from streamer.source.open import open_source
from streamer.source.wire import connect

PRIVATE = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254"),
    *("100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%1", "fec0::1", "fd00::1", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::127.0.0.1"),
    *("64:ff9b::10.0.0.1", "64:ff9b:1::1", "2001::1", "2001:db8::1", "100::1", "4000::1"),
]
PUBLIC = [
    *("93.184.216.34", "1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "2002:101:101::1"),
]


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_of_the_public_internet_is_told(address: str) -> None:
    assert not is_public(ip_address(address))
    with pytest.raises(SourceForbiddenError):
        AddressPolicy.of((), "http://radio.example/live").check("radio.example", ["1.1.1.1", address])


@pytest.mark.parametrize("address", PUBLIC)
def test_the_public_internet_is_allowed(address: str) -> None:
    AddressPolicy.of((), "http://radio.example/live").check("radio.example", [address])


@pytest.mark.parametrize(
    ("url", "host", "address"),
    [
        ("http://192.168.1.5:8000/live", "192.168.1.5", "192.168.1.5"),
        ("http://127.0.0.1/live", "localhost", "::1"),
        ("http://localhost/live", "127.0.0.1", "127.0.0.1"),
        ("http://[fd00::5]/live", "fd00::5", "fd00::5"),
        ("http://icecast.lan/live", "ICECAST.lan", "10.0.0.9"),
        ("http://studio:8000/live", "studio", "10.0.0.9"),
    ],
)
def test_a_local_host_is_allowed_as_the_user_wrote_it(url: str, host: str, address: str) -> None:
    AddressPolicy.of((), url).check(host, [address])


@pytest.mark.parametrize(
    "url", ["http://192.168.1.5/live", "http://studio/live", "http://radio.example/live"]
)
def test_and_opens_nothing_else(url: str) -> None:
    for host, address in (("192.168.1.6", "192.168.1.6"), ("other", "10.0.0.9"), ("x", "169.254.169.254")):
        with pytest.raises(SourceForbiddenError):
            AddressPolicy.of((), url).check(host, [address])


def test_a_public_name_that_points_inwards_is_refused_and_the_remedy_allows_it() -> None:
    with pytest.raises(SourceForbiddenError) as caught:
        AddressPolicy.of((), "http://radio.example/").check("radio.example", ["10.0.0.1"])

    assert 'allow_private = ["radio.example"]' in caught.value.remedy
    AddressPolicy.of(("radio.example",), "http://radio.example/").check("radio.example", ["10.0.0.1"])
    AddressPolicy.of(("10.0.0.0/8",), "http://radio.example/").check("radio.example", ["10.0.0.1"])
    AddressPolicy.of(True, "http://radio.example/").check("radio.example", ["10.0.0.1"])


def test_a_name_is_looked_up_once_and_each_of_its_addresses_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the second answer of a name server that lies could be another."""
    asked: list[str] = []

    def answers(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        found = ["1.1.1.1", "127.0.0.1"] if len(asked) == 1 else ["127.0.0.1"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", answers)

    async def run() -> None:
        async with serve(pages({})) as base:
            port = int(base.rpartition(":")[2])
            with pytest.raises(SourceForbiddenError):
                await connect("radio.example", port, tls=False, policy=AddressPolicy())
            assert asked == ["radio.example"]
            wire = await connect("radio.example", port, tls=False, policy=AddressPolicy(everywhere=True))
            wire.close()

    asyncio.run(run())

    assert asked == ["radio.example", "radio.example"]  # once a connection: the address is pinned


HOPS = {
    "redirect": {"/live": redirect("http://169.254.169.254/latest/meta-data")},
    "redirect to loopback by another name": {"/live": redirect("http://[::ffff:127.0.0.1]:1/")},
    "playlist": {"/live": ok(b"#EXTM3U\nhttp://10.0.0.1/x\n", "audio/x-mpegurl")},
    "variant": {"/live": ok(b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://[fd00::1]/x.m3u8\n")},
    "segment": {"/live": ok(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://100.64.0.1/x.ts\n")},
    "map": {
        "/live": ok(
            b'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MAP:URI="http://0.0.0.0/i"\n#EXTINF:1,\n/x.m4s\n'
        )
    },
}


@pytest.mark.parametrize("hop", HOPS)
def test_no_hop_leads_to_where_the_user_did_not_allow_it(hop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.source.hls.MAX_FAILURES", 1)

    async def run() -> Exception | None:
        async with serve(pages(HOPS[hop])) as base:
            return (await listen(open_source(base + "/live")))[1]

    assert isinstance(asyncio.run(asyncio.wait_for(run(), 20)), SourceForbiddenError)
