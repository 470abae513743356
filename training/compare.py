"""The streamer's smoothing against exponential mean and median: false flips a minute for each delay.

Each smoothing chooses the label; all else (calibrated mean, thresholds, silence) is the same for all,
as the fitted decision says. Its one parameter is swept, with three leads each, over all programmes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec.structs import replace as changed
from numpy.typing import NDArray

from streamer.contract import Decision
from streamer.decide.smooth import Belief, Filter
from training.heard import Heard
from training.rivals import Ema, Median
from training.streaming import contract_of, count, replay

LEADS = {"belief": (1.0, 4.0, 16.0), "exponential mean": (1.0, 1.5, 3.0), "median": (1.0, 1.5, 3.0)}
SWEPT = {
    "belief": (0.2, 0.3, 0.5, 0.8, 1.3, 2.0),  # evidence
    "exponential mean": (1.0, 1.7, 2.8, 4.5, 7.0, 11.0),  # half-life in s
    "median": (3.0, 5.0, 8.0, 12.0, 18.0, 26.0),  # span in s
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
    makers: dict[str, Callable[[Heard, float], Filter]] = {
        "belief": lambda heard, value: Belief(contract_of(heard, changed(decision, evidence=value))),
        "exponential mean": lambda _, value: Ema(value),
        "median": lambda _, value: Median(value),
    }
    points: dict[str, list[dict[str, float | None]]] = {}
    for name, make in makers.items():
        points[name] = []
        for value in SWEPT[name]:
            for lead in LEADS[name]:
                tried = changed(decision, lead=lead)
                delay_s, flips = _measure(
                    heards, probabilities, tried, lambda heard, v=value, m=make: m(heard, v)
                )
                finite = delay_s if np.isfinite(delay_s) else None
                points[name].append({"value": value, "lead": lead, "delay_s": finite, "flips": flips})
    return {
        "points": points,
        "at_equal_delay": {
            f"{delay:g}": {name: at_delay(found, delay) for name, found in points.items()}
            for delay in DELAYS_S
        },
    }


def _measure(
    heards: Sequence[Heard],
    probabilities: Sequence[NDArray[np.float32]],
    decision: Decision,
    belief: Callable[[Heard], Filter],
) -> tuple[float, float]:
    counts = [
        count(replay(heard, p, decision, belief=belief(heard)))
        for heard, p in zip(heards, probabilities, strict=True)
    ]
    total = sum(counts[1:], counts[0])
    times = [t for t, kind, recognisable in total.to_correct if kind == 0 and recognisable]
    delay_s = float(np.percentile(times, 50, method="higher")) if times else np.inf
    return delay_s, total.flips / max(total.minutes, 1e-9)


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
