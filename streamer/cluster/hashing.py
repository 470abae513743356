"""Which shard a station belongs to: rendezvous hashing, so that a change moves as few stations as can be.

Each pair of station and shard has a weight that follows from their names alone; a station belongs where
its weight is greatest. One more shard takes its own share from all others and nothing else moves; one
fewer gives its stations to all others. Thaler and Ravishankar, "Using name-based mappings to increase hit
rates", IEEE/ACM Transactions on Networking 6(1), 1998.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray


def homes(stations: Iterable[str], shards: int) -> dict[str, int]:
    """Give each station's shard, by id.

    Args:
        stations: ids.
        shards: how many there are, numbered from 0; at least one.
    """
    of_shards = np.array([_hash(f"shard {number}") for number in range(shards)], np.uint64)
    return {id: int(_mix(of_shards ^ np.uint64(_hash(id))).argmax()) for id in stations}


def owned(home: Mapping[str, int]) -> dict[int, frozenset[str]]:
    """Give each shard's stations, by its number; those without any are not there."""
    found = defaultdict[int, set[str]](set)
    for id, number in home.items():
        found[number].add(id)
    return {number: frozenset(ids) for number, ids in found.items()}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit numbers: the finisher of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
