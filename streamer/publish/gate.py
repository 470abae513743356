"""Who may connect: CURVE on the socket, and an answer to each handshake from the list of public keys.

libzmq asks over ZAP (rfc.zeromq.org/spec/27); pyzmq's authenticator answers for us. Who is taken off
the list is cut off within `LOOK_S`.
"""

import asyncio
import logging
import time

import zmq
from zmq.auth.asyncio import AsyncioAuthenticator
from zmq.utils import z85

from streamer.errors import KeysError
from streamer.publish.handshakes import Handshakes
from streamer.publish.keys import ServerKeys

log = logging.getLogger(__name__)

DOMAIN = "genrecast"
LOOK_S = 1.0  # from one look at the list to the next
QUIET_S = 10.0  # from one line about refused subscribers to the next: they come again ten times a second
REBIND_S = 1.0
HANDSHAKE_MS = 5000  # to hold a connection without having shown a key
HANDSHAKE_BYTES = 1024  # libzmq counts a client's INITIATE against MAXMSGSIZE: some 300 bytes
_FAILED = zmq.Event.HANDSHAKE_FAILED_NO_DETAIL | zmq.Event.HANDSHAKE_FAILED_PROTOCOL


class Gate:
    """Lets in to a socket who is on the list.

    Args:
        keys: of whoever binds it.
        socket: not bound yet.
        who: connects to it, for the log.
    """

    def __init__(self, keys: ServerKeys, socket: "zmq.Socket[bytes]", *, who: str = "subscriber") -> None:
        self._keys, self._socket, self._who = keys, socket, who
        self._own = z85.encode(keys.own.public)
        socket.curve_server = True
        socket.curve_secretkey = keys.own.secret
        socket.zap_domain = DOMAIN.encode()
        # Else libzmq lets everybody in as long as nobody answers: before `start`, after `stop`.
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
        socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        socket.setsockopt(zmq.MAXMSGSIZE, max(socket.getsockopt(zmq.MAXMSGSIZE), HANDSHAKE_BYTES))
        self._handshakes = Handshakes(socket, _FAILED)
        self._authenticator = AsyncioAuthenticator(socket.context)
        self._authenticator.configure_curve_callback(DOMAIN, self)
        self._told_at, self._untold = -QUIET_S, 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, endpoint: str) -> None:
        """Begin to answer, on the running loop.

        Args:
            endpoint: where the socket is bound now.
        """
        self._endpoint = endpoint
        self._authenticator.start()
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Let nobody in any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._authenticator.stop()
            self._timer = None
        self._handshakes.stop()

    def callback(self, domain: str, key: bytes) -> bool:
        """Answer the authenticator: may who has this public key (Z85) come in?"""
        self._reread()
        if key == self._own or z85.decode(key) in self._keys.allowed.names:
            return True
        self._refuse(f"its key {z85.decode(key).hex()} is not in {self._keys.allowed.path}")
        return False

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        self._reread()
        for _ in self._handshakes.since():
            self._refuse("it has no key, or another public key than ours")

    def _reread(self) -> None:
        try:
            if self._keys.allowed.reread():
                log.warning(
                    "somebody is no longer in %s: every %s must connect anew",
                    self._keys.allowed.path,
                    self._who,
                )
                self._cut()
        except KeysError as error:
            log.error("%s; the list stays what it was (%s)", error.message, error.remedy)

    def _cut(self) -> None:
        """Drop all connections: libzmq does so where it no longer listens. Who still may comes again."""
        if not self._socket.closed:
            self._socket.unbind(self._endpoint)
            self._rebind()

    def _rebind(self) -> None:
        try:
            self._socket.bind(self._endpoint)
        except zmq.ZMQError as error:  # somebody was quicker; without it there is nothing to do but wait
            log.error("can't bind '%s' again: %s", self._endpoint, error.strerror)
            if not self._socket.closed:
                asyncio.get_running_loop().call_later(REBIND_S, self._rebind)

    def _refuse(self, why: str) -> None:
        now = time.monotonic()
        if now - self._told_at < QUIET_S:
            self._untold += 1
            return
        more = f"; {self._untold} more were since the last such line" if self._untold else ""
        log.warning("a %s was refused: %s%s", self._who, why, more)
        self._told_at, self._untold = now, 0
