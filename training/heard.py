"""A programme as a run hears it: the window probabilities of one fold's programme, kept as arrays.

They are computed once; whatever is to be tried with them (`training.tune`) is a cheap replay.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.contract import Contract, Decision
from training.checkpoint import RunState
from training.nets import Net
from training.predict import Logits, softmax, window_logits
from training.programmes import SILENCE, Programme, windows
from training.store import PreparedSet


@dataclass(frozen=True, slots=True)
class Heard:
    """What one run gives for the programme of its fold, n windows.

    Attributes:
        state: of the run.
        programme: what plays.
        bounds: (pieces + 1,) seconds at which pieces begin, and the end.
        ends: (n,) sample indices after each window's last sample.
        position_s: (n,) the same in seconds.
        recent_dbfs: (n,) level of each window's last second; -inf for digital silence.
        logits: (n, labels).
        piece: (n,) index of the piece that plays where the window ends.
        inside: (n,) True where all of the window lies in that piece.
        target: (n,) index of that piece's label; -1 in silence.
        recognisable: (pieces,) True where the mean of a piece's own windows has its label first.
    """

    state: RunState
    programme: Programme
    bounds: NDArray[np.float64]
    ends: NDArray[np.int64]
    position_s: NDArray[np.float64]
    recent_dbfs: NDArray[np.float64]
    logits: Logits
    piece: NDArray[np.int64]
    inside: NDArray[np.bool_]
    target: NDArray[np.int64]
    recognisable: NDArray[np.bool_]

    def contract(self, decision: Decision) -> Contract:
        """Give what a decider needs of a model file; there is none yet."""
        return self.state.recipe.draft_contract(self.state.labels, decision)


def hear(state: RunState, net: Net, programme: Programme, prepared: PreparedSet, *, hop_s: float) -> Heard:
    """Ask a run about every window of a programme."""
    front = prepared.front_end
    rate = front.sample_rate
    ends: list[int] = []
    levels: list[float] = []
    logits: list[Logits] = []
    for batch in windows(programme, prepared, max(1, round(hop_s / front.frame_s))):
        if batch:
            logits.append(window_logits(net, np.stack([window.frames for window in batch])))
            ends += [window.end for window in batch]
            levels += [-np.inf if window.recent_dbfs is None else window.recent_dbfs for window in batch]
    pieces = programme.pieces
    bounds = np.array([piece.start for piece in pieces] + [pieces[-1].stop]) * front.hop_length / rate
    position_s = np.array(ends) / rate
    # A window ends with the overlap of its last frame: what plays is judged by where that frame began.
    last = (np.array(ends) - front.n_fft) / rate
    piece = np.searchsorted(bounds, last + 1e-9, side="right") - 1
    target = np.array([-1 if p.label == SILENCE else state.labels.index(p.label) for p in pieces])
    inside = position_s - front.window_s >= bounds[piece] - 1e-9
    answers = softmax(np.concatenate(logits))
    wholes = [answers[inside & (piece == at)] for at in range(len(pieces))]
    leads = [
        len(whole) > 0 and int(whole.mean(axis=0).argmax()) == target[at] for at, whole in enumerate(wholes)
    ]
    return Heard(
        state=state,
        programme=programme,
        bounds=bounds,
        ends=np.array(ends),
        position_s=position_s,
        recent_dbfs=np.array(levels),
        logits=np.concatenate(logits),
        piece=piece,
        inside=inside,
        target=target[piece],
        recognisable=np.array(leads),
    )
