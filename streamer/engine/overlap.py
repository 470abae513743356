"""What a station's windows share of the network: each step of each stage made once."""

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Frames, Window
from streamer.model.session import Model


class Overlap:
    """Keeps what stages made last, so that a window asks only for what is made of its new frames.

    Whatever the hop, what comes out is what the whole window gives: where a window is no whole
    number of strides after the one before, or shares too little with it, all of it is asked for.

    Args:
        model: whose stages.
    """

    def __init__(self, model: Model) -> None:
        self._stages, self._stride = model.stages, model.stride
        # New frames from which on a window shares nothing that is kept.
        self._too_many = model.stride * model.steps if model.stages else 0
        self._kept: list[NDArray[np.float32]] = [np.empty((0, 0), np.float32)] * len(model.stages)
        self._missing: int | None = None  # frames since those of the last window; None: nothing to build on

    def passes(self, window: Window) -> None:
        """Take note of a window that the model isn't asked about."""
        self._missing = None if window.new is None or self._missing is None else self._missing + window.new

    def asks(self, window: Window) -> Frames:
        """Take a window; give the (k, n_mels) frames that the first stage must see for it, oldest first."""
        self.passes(window)
        missing, self._missing = self._missing, 0
        if not missing or missing % self._stride or missing >= self._too_many:
            return window.frames
        return window.frames[-(self._stages[0].context + missing) :]

    def extend(self, number: int, made: NDArray[np.float32], into: NDArray[np.float32]) -> None:
        """Take what a stage made of what was asked for; give it with what was made before it.

        Args:
            number: of the stage, from 0; each is told of all windows in their order.
            made: (width, k) float32.
            into: (width, m) float32, m >= k, all in one piece: filled with the last m steps.
        """
        kept, before = self._kept[number], into.shape[1] - made.shape[1]
        if before and kept.shape == into.shape:
            # All rows in one move; what then stands at their ends is written over.
            into.reshape(-1)[: -made.shape[1]] = kept.reshape(-1)[made.shape[1] :]
        elif before:
            into[:, :before] = kept
        into[:, before:] = made
        # A view would keep the whole batch alive.
        self._kept[number] = into[:, into.shape[1] - self._stages[number].kept :].copy()

    def forget(self) -> None:
        """Take note that what was asked for did not come: the next window asks for all."""
        self._missing = None
