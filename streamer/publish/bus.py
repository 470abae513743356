"""The way out of all messages: at our own ZeroMQ socket, and to the gateways that we are told of."""

import asyncio
from collections.abc import Callable, Sequence

from streamer.publish.endpoint import listen
from streamer.publish.gate import Gate
from streamer.publish.keys import ClientKeys, ServerKeys
from streamer.publish.link import Link
from streamer.publish.messages import ON_DEMAND, RETAINED, Kind, Message, encode, topic
from streamer.publish.outlet import SEND_HWM, Outlet


class Bus:
    """Sends messages and, to whoever comes late, the last one of each topic. Sending never blocks.

    Replayed messages go to all subscribers of their topic, told apart by a `seq` that was
    there before (docs/messages.md).

    Attributes:
        endpoint: where it is bound.
        demand: ids of the stations of which somebody wants what is made on demand (`ON_DEMAND`).

    Args:
        endpoint: `tcp://HOST:PORT` or `ipc://PATH`; port `*` takes any free one.
        open_to_network: allows addresses that other machines can reach.
        keys: with them everything is encrypted, only those on their list may subscribe, and
            other machines may reach it.
        gateways: endpoints at which gateways accept messages.
        gateway_keys: what it shows them, where they want keys.
        waiting: how many messages may wait for one subscriber.

    Raises:
        PublishError: the endpoint is malformed, in use, or not local.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        open_to_network: bool = False,
        keys: ServerKeys | None = None,
        gateways: Sequence[str] = (),
        gateway_keys: ClientKeys | None = None,
        waiting: int = SEND_HWM,
    ) -> None:
        self._last: dict[bytes, bytes] = {}
        self._own = Outlet(self._last, waiting=waiting)
        self._gate = None if keys is None else Gate(keys, self._own.socket)
        try:
            protected = keys is not None or open_to_network
            self.endpoint = listen(self._own.socket, endpoint, protected=protected)
        except BaseException:
            self._own.close(linger_ms=0)
            raise
        self._links: dict[str, Link] = {}
        self._gateway_keys = gateway_keys
        self.demand: frozenset[str] = frozenset()
        self._demanded: Callable[[frozenset[str]], None] = lambda _: None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.follow(gateways)

    def start(self, demanded: Callable[[frozenset[str]], None] = lambda _: None) -> None:
        """Begin to answer subscriptions, on the running loop.

        Args:
            demanded: is told `demand` whenever it changes.
        """
        self._demanded = demanded
        self._loop = asyncio.get_running_loop()
        for outlet in (self._own, *self._links.values()):
            outlet.start(self._ask)
        if self._gate is not None:
            self._gate.start(self.endpoint)

    def follow(self, gateways: Sequence[str]) -> None:
        """Send to these gateways from now on, and to no others."""
        for gateway in self._links.keys() - set(gateways):
            self._links.pop(gateway).close(linger_ms=0)
        for gateway in gateways:
            if gateway not in self._links:
                self._links[gateway] = Link(gateway, self._last, self._gateway_keys)
                if self._loop is not None:
                    self._links[gateway].start(self._ask)
        self._ask()

    @property
    def deaf(self) -> dict[str, str]:
        """Give the gateways that don't hear us, each with a sentence that says why."""
        links = self._links.items()
        return {gateway: link.trouble for gateway, link in links if link.trouble is not None}

    def send(self, message: Message) -> None:
        """Send a message to whoever wants it, and keep it for whoever comes late."""
        self.publish([(topic(message.kind, message.station), encode(message))])

    def publish(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Send encoded messages, each with its topic."""
        self._last.update(messages)
        self._own.send(messages)
        for outlet in self._links.values():
            outlet.send(messages)

    def last(self, kind: Kind, station: str) -> bytes | None:
        """Give the payload of the last message of a topic."""
        return self._last.get(topic(kind, station))

    def forget(self, station: str) -> None:
        """Keep nothing of a station any more for whoever comes late."""
        for kind in RETAINED | {"change", ON_DEMAND}:
            self._last.pop(topic(kind, station), None)

    def close(self) -> None:
        """Send what is left, at most for a moment, and let go of the endpoint."""
        if self._gate is not None:
            self._gate.stop()
        for outlet in (self._own, *self._links.values()):
            outlet.close()

    def _ask(self) -> None:
        """Tell what is demanded, where that is otherwise than before."""
        demand = self._own.demand.union(*(outlet.demand for outlet in self._links.values()))
        if demand != self.demand:
            self.demand = demand
            self._demanded(demand)
