"""The streamer's smoothing against others: false flips a minute for each delay.

Each smoothing chooses the label; all else (calibrated mean, thresholds, silence) is the same for all,
as the fitted decision says. Its parameter is swept over all programmes. The others are taken as they
are (the label that leads is said), and with the streamer's lead as well, which is half of its secret.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace as changed
from numpy.typing import NDArray

from streamer.contract import Decision
from training.heard import Heard
from training.replay import Filter, say_many
from training.rivals import Ema, Median, StickyHmm
from training.streaming import Counts, add, count

HALF_LIVES_S = (1.0, 1.7, 2.8, 4.5, 7.0, 11.0, 17.0)
SPANS_S = (3.0, 5.0, 8.0, 12.0, 18.0, 26.0, 40.0)
LEADS, NO_LEAD = (1.5, 2.5, 4.0, 7.0), (1.0,)
SWEPT: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "streamer": ((0.9, 1.3, 1.8, 2.5, 3.5, 5.0), (2.0, 4.0, 7.0, 12.0, 20.0, 35.0)),  # half-lives, leads
    "exponential mean": (HALF_LIVES_S, NO_LEAD),
    "exponential mean with a lead": (HALF_LIVES_S, LEADS),
    "median": (SPANS_S, NO_LEAD),
    "median with a lead": (SPANS_S, LEADS),
    "sticky HMM": ((0.2, 0.3, 0.5, 0.8, 1.3, 2.0), NO_LEAD),  # evidence
    "sticky HMM with a lead": ((0.2, 0.3, 0.5, 0.8, 1.3, 2.0), (2.0, 5.0, 15.0, 50.0)),
}
KIND_LEAD = 1.5  # for all, and music weighs as it is: these two were fitted to the streamer's mean
DELAYS_S = (4.0, 5.0, 6.0, 8.0, 10.0, 12.0)


def compare(
    heards: Sequence[Heard], probabilities: Sequence[NDArray[np.float32]], decision: Decision
) -> dict[str, Any]:
    """Sweep every smoothing.

    Returns:
        `points`: name -> list of {value, lead, delay_s (p50 of recognisable music; None: infinite), flips}.
        `at_equal_delay`: delay in s -> name -> flips a minute on the line through the best points; None
        where it is never so quick.
    """
    points: dict[str, list[dict[str, float | None]]] = {}
    for name, (values, leads) in SWEPT.items():
        grid = [(value, lead) for value in values for lead in leads]
        of_value = np.array([value for value, _ in grid])
        decisions = [_decision(decision, name, *swept) for swept in grid]
        totals: list[list[Counts]] = [[] for _ in grid]
        for heard, p in zip(heards, probabilities, strict=True):
            said = say_many(heard, p, decisions, chooser=_filter(name, of_value, heard, decision))
            for at, row in enumerate(said):
                totals[at].append(count(heard, row))
        points[name] = [
            _point(value, lead, add(counts)) for (value, lead), counts in zip(grid, totals, strict=True)
        ]
    return {
        "points": points,
        "at_equal_delay": {
            f"{delay:g}": {name: at_delay(found, delay) for name, found in points.items()}
            for delay in DELAYS_S
        },
    }


def _decision(decision: Decision, name: str, value: float, lead: float) -> Decision:
    swept = changed(decision, lead=lead, kind_lead=min(lead, KIND_LEAD), music_odds=1.0)
    return changed(swept, half_life_s=value) if name == "streamer" else swept


def _filter(name: str, values: NDArray[np.float64], heard: Heard, decision: Decision) -> Filter | None:
    """Give what chooses between labels; None is the streamer's own."""
    contract = heard.contract(decision)
    music = np.array([label not in contract.not_music for label in contract.labels])
    match name.split(" with ", maxsplit=1)[0]:
        case "exponential mean":
            return Ema(values[:, None])
        case "median":
            return Median(values[:, None])
        case "sticky HMM":
            return StickyHmm(values[:, None], music, contract.front_end.window_s)
    return None


def _point(value: float, lead: float, total: Counts) -> dict[str, float | None]:
    delay_s = total.delay_s if np.isfinite(total.delay_s) else None
    return {"value": value, "lead": lead, "delay_s": delay_s, "flips": total.flips_per_minute}


def front(points: Sequence[dict[str, float | None]]) -> list[tuple[float, float]]:
    """Give the (delay, flips) of the points that no other beats in both, quickest first."""
    best: list[tuple[float, float]] = []
    for delay, flips in sorted((p["delay_s"], p["flips"]) for p in points if p["delay_s"] is not None):
        if not best or flips < best[-1][1]:
            best.append((delay, flips))
    return best


def at_delay(points: Sequence[dict[str, float | None]], delay_s: float) -> float | None:
    """Give the flips a minute at a delay, between the points of the front; None left of it."""
    best = front(points)
    if not best or delay_s < best[0][0]:
        return None
    return round(float(np.interp(delay_s, [d for d, _ in best], [f for _, f in best])), 3)
