"""What a station's windows share of the network: each frame's features computed once."""

import numpy as np
from numpy.typing import NDArray

from streamer.flow import Frames, Window
from streamer.model.session import Model


class Overlap:
    """Keeps the features of the last window, so that the next one asks only for those of its new frames.

    Whatever the hop, what comes out is what the whole window gives: where a window is no whole
    number of strides after the one before, or shares too little with it, all of it is asked for.

    Args:
        model: says how its graph can be cut.
    """

    def __init__(self, model: Model) -> None:
        self._stride, self._context = model.stride, model.context
        self._features: NDArray[np.float32] | None = None
        self._missing: int | None = None  # frames since those of the features; None: nothing to build on

    def passes(self, window: Window) -> None:
        """Take note of a window that the model isn't asked about."""
        self._missing = None if window.new is None or self._missing is None else self._missing + window.new

    def asks(self, window: Window) -> Frames:
        """Take a window; give the (k, n_mels) frames that the trunk must see for it, oldest first."""
        self.passes(window)
        missing, self._missing = self._missing, 0
        if missing is None or missing % self._stride or self._context + missing >= len(window.frames):
            return window.frames
        return window.frames[-(self._context + missing) :]

    def extend(self, features: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
        """Take the (width, k) features of what was asked for; give the window's, (width, steps)."""
        new = features.shape[1]
        if self._features is None or new >= steps:
            self._features = features.copy()  # a view would keep the whole batch alive
        else:
            self._features = np.concatenate((self._features[:, new:], features), axis=1)
        return self._features

    def forget(self) -> None:
        """Take note that what was asked for did not come: the next window asks for all."""
        self._missing = None
