"""A way out to a gateway: an outlet that connects, and knows why it isn't heard there."""

import asyncio
import logging
from collections.abc import Callable

import zmq

from streamer.publish.handshakes import GIVEN_UP, REFUSED, Handshakes
from streamer.publish.keys import ClientKeys
from streamer.publish.outlet import LINGER_MS, Outlet

log = logging.getLogger(__name__)

# Soon there again when it was restarted, and never a connection that is none any more.
RECONNECT_MS, RECONNECT_MAX_MS = 50, 250
SIGN_OF_LIFE_MS, NO_LIFE_MS = 5_000, 15_000
LOOK_S = 1.0  # from one look at what became of connections to the next
TOLD_AFTER = 5  # looks at the same: a gateway that is restarted is there again by then
AWAY = "it is not there"
_FAILED, _IN, _AWAY = zmq.Event.HANDSHAKE_FAILED_NO_DETAIL, zmq.Event.HANDSHAKE_SUCCEEDED, zmq.Event.CLOSED


class Link(Outlet):
    """While the gateway is away, nothing is kept for it but what was said last.

    Args:
        gateway: its endpoint.
        last: the last payload of each topic, as whoever sends keeps it.
        keys: what is shown to it.
    """

    def __init__(self, gateway: str, last: dict[bytes, bytes], keys: ClientKeys | None) -> None:
        super().__init__(last)
        self._gateway, self._keys = gateway, keys
        self._why = self._seen = AWAY
        self._looks, self._told = 0, False
        self._timer: asyncio.TimerHandle | None = None
        self.socket.setsockopt(zmq.IMMEDIATE, 1)
        self.socket.setsockopt(zmq.XPUB_NODROP, 1)  # a full queue is told: what was said last waits for room
        self.socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        self.socket.setsockopt(zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, SIGN_OF_LIFE_MS)
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, NO_LIFE_MS)
        self.socket.setsockopt(zmq.IPV6, "[" in gateway)
        if keys is not None:
            keys.apply(self.socket)
        self._handshakes = Handshakes(self.socket, GIVEN_UP | _FAILED | _IN | _AWAY)
        self.socket.connect(gateway)

    @property
    def trouble(self) -> str | None:
        """Why the gateway doesn't hear us, as a sentence about it; None while it does."""
        return None if self.whole else self._why

    def start(self, demanded: Callable[[], None]) -> None:
        """Begin to answer subscriptions, on the running loop; see `Outlet.start`."""
        super().start(demanded)
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def close(self, *, linger_ms: int = LINGER_MS) -> None:
        """Send what is left, at most for so long, and let go of the connection."""
        if self._timer is not None:
            self._timer.cancel()
        self._handshakes.stop()
        super().close(linger_ms=linger_ms)

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        given_up = False
        for event in self._handshakes.since():
            self._why = self._meaning(event)
            given_up = event in GIVEN_UP
        if given_up:
            self.socket.disconnect(self._gateway)
            self.socket.connect(self._gateway)
        self._tell()

    def _meaning(self, event: zmq.Event) -> str:
        if event in (_IN, _AWAY):
            return AWAY
        if self._keys is None:
            return "it wants keys: give key and gateway_key in [security]"
        if event == REFUSED:
            return self._keys.refusal
        return "its key is not gateway_key, or it has none: 'genrecast keys show' there prints it"

    def _tell(self) -> None:
        """Say what has been so for a while."""
        trouble = self.trouble or ""
        self._looks = self._looks + 1 if trouble == self._seen else 1
        self._seen = trouble
        if self._looks != TOLD_AFTER:
            return
        if trouble:
            log.warning("gateway %s doesn't hear us: %s", self._gateway, trouble)
        elif self._told:
            log.info("gateway %s hears us again", self._gateway)
        self._told = bool(trouble)
