"""Which addresses a stream may lead to: those of the public internet, and what the user has named.

A station is somebody else's server, and what it says (redirects, playlists, segments) must not
make us ask things of machines that only we can reach. What the user wrote is another matter.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from streamer.errors import SourceForbiddenError
from streamer.source.url import ascii_host

Network: TypeAlias = IPv4Network | IPv6Network

_LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_UNICAST = IPv6Network("2000::/3")  # all of IPv6 that is handed out; the rest is local, special or nobody's
_NAT64 = IPv6Network("64:ff9b::/96")  # IPv4 within, where a network has IPv6 alone (RFC 6052)
_LOCAL_NAMES = (".local", ".localhost", ".lan", ".home", ".internal", ".home.arpa")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Where connections may go beside the public internet.

    Attributes:
        everywhere: no address is refused.
        networks: addresses in these are not.
        hosts: nor those of these names, whatever they are.
    """

    everywhere: bool = False
    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, allow_private: bool | Sequence[str], url: str) -> "AddressPolicy":
        """Build the policy of a station.

        The host of its address is allowed as it is written where that can only mean a local one: a
        literal address, or a name that no public name server knows. A public name isn't: whoever
        owns it may point it anywhere.

        Args:
            allow_private: as the configuration says, checked.
            url: of the station, as the user wrote it.
        """
        if isinstance(allow_private, bool):
            policy = cls(everywhere=allow_private)
        else:
            policy = cls()
            for entry in allow_private:
                policy = policy._with(entry)
        host = urlsplit(url).hostname or ""
        return policy._with(host) if _is_local_name(host) or _as_network(host) else policy

    def check(self, host: str, addresses: Sequence[str]) -> None:
        """See that a host may be connected to: at each of its addresses.

        Raises:
            SourceForbiddenError: it may not.
        """
        if self.everywhere or host.lower() in self.hosts:
            return
        for text in addresses:
            address = ip_address(text)
            if not is_public(address) and not any(address in network for network in self.networks):
                where = "" if text == host else f" is {text}, which"
                raise SourceForbiddenError(
                    f"host '{host}'{where} is no address of the public internet",
                    remedy=f'if it is to be listened to, say allow_private = ["{host}"] under [security]',
                )

    def _with(self, entry: str) -> "AddressPolicy":
        network = _as_network(entry)
        if entry.lower() == "localhost" or (network is not None and network.is_loopback):
            return replace(self, networks=(*self.networks, *_LOOPBACK))
        if network is not None:
            return replace(self, networks=(*self.networks, network))
        return replace(self, hosts=self.hosts | {ascii_host(entry.lower())})


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Say whether an address is one of the public internet; what holds an IPv4 one is judged by that."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        return address in _UNICAST and address.is_global and address.scope_id is None
    return address.is_global and not address.is_multicast


def _as_network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _is_local_name(host: str) -> bool:
    return bool(host) and ("." not in host or host.lower().endswith(_LOCAL_NAMES))
