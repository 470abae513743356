"""The streamer's smoothing against exponential mean and median: false flips a minute for each delay.

Each smoothing chooses the label; all else (calibrated mean, thresholds, silence) is the same for all,
as the fitted decision says. Its one parameter is swept over all programmes. Exponential mean and
median are taken as they are (the label that leads is said), and with the streamer's lead as well.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace as changed
from numpy.typing import NDArray

from streamer.contract import Decision
from training.heard import Heard
from training.replay import Filter, say_many
from training.rivals import Ema, Median
from training.streaming import Counts, add, count

HALF_LIVES_S = (1.0, 1.7, 2.8, 4.5, 7.0, 11.0, 17.0)
SPANS_S = (3.0, 5.0, 8.0, 12.0, 18.0, 26.0, 40.0)
SWEPT: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "belief": ((0.2, 0.3, 0.5, 0.8, 1.3, 2.0), (1.0, 2.0, 5.0, 15.0)),  # evidence, leads
    "exponential mean": (HALF_LIVES_S, (1.0,)),
    "exponential mean with a lead": (HALF_LIVES_S, (1.5, 2.2, 3.5)),
    "median": (SPANS_S, (1.0,)),
    "median with a lead": (SPANS_S, (1.5, 2.2, 3.5)),
}
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
        decisions = [changed(decision, lead=lead, evidence=value) for value, lead in grid]
        totals: list[list[Counts]] = [[] for _ in grid]
        for heard, p in zip(heards, probabilities, strict=True):
            said = say_many(heard, p, decisions, belief=_filter(name, of_value))
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


def _filter(name: str, values: NDArray[np.float64]) -> Filter | None:
    """Give what chooses between labels; None is the streamer's own."""
    if name == "belief":
        return None
    return Ema(values[:, None]) if name.startswith("exponential mean") else Median(values)


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
