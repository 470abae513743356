"""What was told of a station, read back from its last messages, for whoever goes on in its place."""

from copy import deepcopy

import msgspec

from streamer.publish.bus import Bus
from streamer.publish.messages import Genre, Kind, Message, Track, seconds
from streamer.publish.reporter import Memory

TOLD: tuple[Kind, ...] = ("genre", "change", "track", "status", "mel")
"""The kinds that a station has."""


def recall(bus: Bus, station: str, before: Memory | None = None) -> Memory:
    """Give what the next messages of a station must go on from; `before` is of what the bus has forgotten."""
    memory = deepcopy(before) if before else Memory()
    for kind in TOLD:
        payload = bus.last(kind, station)
        if payload is None:
            continue
        said = msgspec.json.decode(payload, type=Message)
        memory.seq[kind] = said.seq + 1
        memory.newest = max(memory.newest, seconds(said.time))
        if kind == "genre":
            genre = msgspec.json.decode(payload, type=Genre)
            memory.state, memory.genre = genre.state, genre.genre
            memory.since = seconds(genre.since)
        elif kind == "track":
            memory.track_end = seconds(msgspec.json.decode(payload, type=Track).end)
    return memory
