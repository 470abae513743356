"""A shard: the actor in which Ray runs an engine, wherever it has room, and runs it again when it is lost."""

import logging
import threading
import time

import msgspec

from streamer import log
from streamer.cluster import fleet
from streamer.cluster.host import Host
from streamer.cluster.state import Share
from streamer.config import Config

ASK_S = 0.5  # from one question for a share to the next, while nobody answers


class Shard:
    """One instance of a shard. A restarted one asks for its share, and goes on without further orders.

    Args:
        number: of the shard.
    """

    def __init__(self, number: int) -> None:
        log.setup(logging.INFO)
        self._number = number
        self._host = Host(fleet.own_node())
        self._told = threading.Event()
        threading.Thread(target=self._ask, daemon=True).start()

    def follow(self, share: bytes) -> None:
        """Take a share; see `Share`. May be told twice."""
        told = msgspec.msgpack.decode(share, type=Share)
        self._host.follow(told.revision, told.make, msgspec.msgpack.decode(told.config, type=Config))
        self._told.set()

    def state(self) -> bytes:
        """Give how it is; see `ShardState`."""
        return msgspec.msgpack.encode(self._host.state())

    def stop(self, removed: bool) -> None:
        """Have every station tell its end; see `Host.stop`."""
        self._host.stop(removed=removed)

    def _ask(self) -> None:
        """Ask the coordinator, which may be lost too and on its way back."""
        while not self._told.is_set():
            share = fleet.ask_share(self._number)
            if share is not None:
                self.follow(share)
            else:
                time.sleep(ASK_S)
