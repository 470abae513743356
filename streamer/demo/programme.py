"""What the demo station plays: six pieces in a minute, under titles that say nothing of their kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from streamer.demo import pieces
from streamer.demo.synth import Mix, length, master
from streamer.demo.voice import speak
from streamer.flow import MultiSamples

Render: TypeAlias = Callable[[np.random.Generator, float], MultiSamples]


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the programme.

    Attributes:
        title: as the station sends it.
        seconds: how long it lasts.
        render: gives its (n, 2) samples at `synth.RATE` from a generator and the seconds.
    """

    title: str
    seconds: float
    render: Render


def announcer(rng: np.random.Generator, seconds: float) -> MultiSamples:
    """Somebody speaks, close to a microphone in a small studio."""
    studio = Mix(seconds)
    studio.add(speak(rng, seconds), 0.0)
    studio.add_room(rng, 0.25, 0.08)
    return master(studio.samples, -20)


def nothing(_rng: np.random.Generator, seconds: float) -> MultiSamples:
    """Digital silence: the studio has failed."""
    return np.zeros((length(seconds), 2), np.float32)


PROGRAMME = (
    Piece("The Synthetics - Piece one", 8.0, announcer),
    Piece("The Synthetics - Piece two", 10.0, pieces.quartet),
    Piece("The Synthetics - Piece three", 9.0, pieces.club),
    Piece("The Synthetics - Piece four", 10.0, pieces.chamber),
    Piece("The Synthetics - Piece five", 5.0, nothing),
    Piece("The Synthetics - Piece six", 10.0, pieces.metal),
)


def render(programme: tuple[Piece, ...], seed: int) -> MultiSamples:
    """Give the whole programme, (n, 2) float32; a piece doesn't change when another one does."""
    return np.concatenate(
        [
            piece.render(np.random.default_rng((seed, number)), piece.seconds)
            for number, piece in enumerate(programme)
        ]
    )


def titles(programme: tuple[Piece, ...]) -> list[tuple[float, str]]:
    """Give (second at which it begins, title) of each piece."""
    starts = np.cumsum([0.0, *(piece.seconds for piece in programme[:-1])])
    return [(float(start), piece.title) for start, piece in zip(starts, programme, strict=True)]
