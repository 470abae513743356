"""Ports for servers of tests and benchmarks, that nobody else takes meanwhile."""

import random
import socket

# Above those of Ray's workers, below those that the kernel gives to connections.
_PORTS = range(20_000, 32_768)


def free_port(address: str = "127.0.0.1") -> int:
    """Give a port that nobody listens on, and that no other process is given as long as this one lives.

    A port that the kernel chooses is free only until it is let go of: any connection, and any other test,
    may have it before the server that it is for. So it isn't one of those that the kernel gives, and it is
    claimed by a name that all processes of the machine see and that ends with its owner.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0genrecast-port-{port}")
            with socket.socket() as probe:
                probe.bind((address, port))
        except OSError:
            claim.close()
            continue
        claim.detach()  # it stays open as long as this process lives
        return port
    raise AssertionError(f"no port of {_PORTS} is free at {address}")
