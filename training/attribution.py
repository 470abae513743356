"""What of a window drove a logit: integrated gradients (Sundararajan, Taly and Yan 2017).

A path leads from a window without any content to the window itself, and the gradients along it
are summed, so that the shares of all cells add up to what the content changed in the logit.
Without content is: every cell so far down that the network's compression makes nothing of it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import Tensor

from training.net import COMPRESSION
from training.nets import Net

TOLERANCE = 0.01  # share of the logit's change that may stay unexplained
FIRST_STEPS, MOST_STEPS = 64, 1024
BATCH = 64
PATCH = (5, 3)  # frames and bands: about the steps of the filters, below which a map is only rough
NOTHING = -COMPRESSION - 5.0  # log(1 + exp(frames + COMPRESSION)) is below 0.007 here


@dataclass(frozen=True, slots=True)
class Attribution:
    """Shares of a window's cells in a logit, or in the difference of two.

    Attributes:
        cells: (n_frames, n_mels), positive where it speaks for the answer.
        change: what they should add up to: the figure of the window less that of no content.
        steps: of the path.
    """

    cells: NDArray[np.float64]
    change: float
    steps: int

    @property
    def error(self) -> float:
        """How far the sum is from `change`."""
        return float(self.cells.sum() - self.change)

    @property
    def complete(self) -> bool:
        """True where the sum is `change` within the tolerance."""
        return abs(self.error) <= TOLERANCE * max(1.0, abs(self.change))


def attribute(net: Net, window: NDArray[np.float32], weights: NDArray[np.float32]) -> Attribution:
    """Explain the sum of a window's logits times `weights`; more steps are taken until it is complete.

    Args:
        net: in evaluation.
        window: (n_frames, n_mels) log-mel frames.
        weights: (labels,): 1 for a label, and -1 for one that it is set against.
    """
    end = torch.from_numpy(window)
    start = torch.full_like(end, NOTHING)
    of = torch.from_numpy(weights)
    with torch.no_grad():
        logits = net(torch.stack((start, end))).double() @ of.double()
    change = float(logits[1] - logits[0])
    steps = FIRST_STEPS
    while True:
        cells = ((end - start) * _mean_gradient(net, start, end, of, steps)).double().numpy()
        found = Attribution(cells, change, steps)
        if found.complete or steps >= MOST_STEPS:
            return found
        steps *= 2


def _mean_gradient(net: Net, start: Tensor, end: Tensor, weights: Tensor, steps: int) -> Tensor:
    """Give the mean gradient along the path, at the middles of its steps."""
    total = torch.zeros_like(end)
    for places in ((torch.arange(steps) + 0.5) / steps).split(BATCH):
        x = (start + places[:, None, None] * (end - start)).requires_grad_()
        (gradient,) = torch.autograd.grad((net(x) @ weights).sum(), x)
        total += gradient.sum(dim=0)
    return total / steps


def smoothed(cells: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give (n_frames, n_mels) means over the patch around each cell; what is beyond the edge is zero."""
    padded = np.pad(cells, [(size // 2, size // 2) for size in PATCH])
    return sliding_window_view(padded, PATCH).mean(axis=(2, 3))


@dataclass(frozen=True, slots=True)
class Region:
    """Where most of what speaks for an answer lies: slices of bands and frames, and their share of it."""

    bands: slice
    frames: slice
    share: float


def strongest(cells: NDArray[np.float64]) -> Region:
    """Give the narrowest bands with half of what speaks for the answer, and of these the shortest time.

    Half of half: a quarter of it at least lies in the region; `share` is how much.
    """
    good = np.maximum(cells, 0.0)
    bands = _narrowest(good.sum(axis=0))
    frames = _narrowest(good[:, bands].sum(axis=1))
    return Region(bands, frames, float(good[frames, bands].sum() / max(good.sum(), 1e-12)))


def _narrowest(sums: NDArray[np.float64]) -> slice:
    """Give the shortest stretch of (n,) sums >= 0 that holds half of them."""
    edges = np.concatenate(([0.0], np.cumsum(sums)))
    stops = np.searchsorted(edges, edges[:-1] + edges[-1] / 2 - 1e-12)
    lengths = np.where(stops <= len(sums), stops - np.arange(len(sums)), len(sums) + 1)
    first = int(lengths.argmin())
    return slice(first, max(int(stops[first]), first + 1))
