"""What a listener would have been told over a programme, by the streamer's own decider, and how good it is.

Definitions, all in seconds of audio:

- A *boundary* is where a piece begins whose label differs from the last one heard (silence between
  them or not). *Time to correct* is from there to the first window at which the piece's label is
  said; infinite where that never happens in the piece.
- A *recognisable* piece is one whose label leads the mean of its own windows: what the model gets
  right when it hears it whole, whatever the smoothing.
- A *false flip* is a change of what is said within a piece, after the first answer given to it,
  that does not lead to its label: from the right answer to anything (`unsure` too), or from one
  wrong genre to another. From a wrong answer to `unsure` is none, nor is a measured silence.
- *Settled* windows end `SETTLED_S` or more after their piece began: before, what is said may still
  be of what was before, which time to correct tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.contract import Decision
from streamer.decide.state import Labels
from training.ask import even
from training.heard import Heard
from training.metrics import calibration_error
from training.replay import SILENT, UNSURE, Told, right_answers

SETTLED_S = 6.0
PRECISION = 0.8  # at which coverage is told


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over a programme, which add up over programmes.

    Attributes:
        kinds: (4, 7) windows by what plays (music, speech, noise, silence) and what is said (right genre,
            wrong genre, speech, noise, unsure, silence, all), of settled windows; no silent ones within
            pieces that sound.
        all_kinds: the same of all windows.
        flips, minutes: false flips within music pieces and the minutes in which they could come.
        to_correct: seconds from each boundary, with kind (0 music, 1 speech, 2 noise) and recognisable.
    """

    kinds: NDArray[np.float64]
    all_kinds: NDArray[np.float64]
    flips: float
    minutes: float
    to_correct: list[tuple[float, int, bool]]

    @property
    def flips_per_minute(self) -> float:
        """False flips a minute of music."""
        return self.flips / max(self.minutes, 1e-9)

    @property
    def delay_s(self) -> float:
        """Median time to correct of recognisable music."""
        times = [t for t, kind, recognisable in self.to_correct if kind == 0 and recognisable]
        return float(np.percentile(times, 50, method="higher")) if times else float("inf")


def add(counts: Sequence[Counts]) -> Counts:
    """Give the counts over several programmes."""
    return Counts(
        kinds=np.sum([c.kinds for c in counts], axis=0),
        all_kinds=np.sum([c.all_kinds for c in counts], axis=0),
        flips=sum(c.flips for c in counts),
        minutes=sum(c.minutes for c in counts),
        to_correct=[time for c in counts for time in c.to_correct],
    )


def count(heard: Heard, said: NDArray[np.int64]) -> Counts:
    """Count over a programme with its (n,) answers, as `Told.said`."""
    n = len(heard.state.labels)
    right = right_answers(heard)
    kind = _kind(right, n)
    outcome = _outcome(said, right, n)
    valid = (kind == 3) | (said != SILENT)
    settled = heard.position_s - heard.bounds[heard.piece] >= SETTLED_S
    flips = minutes = 0.0
    to_correct: list[tuple[float, int, bool]] = []
    before = None
    starts = np.searchsorted(heard.piece, np.arange(len(heard.programme.pieces) + 1))
    for at, piece in enumerate(heard.programme.pieces):
        part = slice(starts[at], starts[at + 1])
        if starts[at] == starts[at + 1] or not piece.clips:
            continue
        answers, wanted, what = said[part], int(right[part][0]), int(kind[part][0])
        changed, before = piece.label != before, piece.label
        position_s = heard.position_s[part] - heard.bounds[at]
        if changed:
            hit = np.flatnonzero(answers == wanted)
            time_s = float(position_s[hit[0]]) if len(hit) else np.inf
            to_correct.append((time_s, what, bool(heard.recognisable[at])))
        if what == 0:
            first = _first_answer(answers, wanted) if changed else 0
            flips += _false_flips(answers[first:], wanted)
            minutes += float(position_s[-1] - position_s[min(first, len(answers) - 1)]) / 60
    return Counts(
        _table(kind, outcome, valid & settled), _table(kind, outcome, valid), flips, minutes, to_correct
    )


def _kind(right: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Give 0 for music, 1 for speech, 2 for noise, 3 for silence."""
    return np.select([right == SILENT, right == n, right == n + 1], [3, 1, 2], 0)


def _outcome(said: NDArray[np.int64], right: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Give the columns of `Counts.kinds`."""
    return np.select(
        [said == SILENT, said == UNSURE, said == n, said == n + 1, said == right], [5, 4, 2, 3, 0], 1
    )


def _table(kind: NDArray[np.int64], outcome: NDArray[np.int64], of: NDArray[np.bool_]) -> NDArray[np.float64]:
    table = np.zeros((4, 7))
    np.add.at(table, (kind[of], outcome[of]), 1)
    table[:, 6] = table[:, :6].sum(axis=1)
    return table


def _first_answer(said: NDArray[np.int64], right: int) -> int:
    """Give the index of the first answer to a piece: what was said before it may go on for a while."""
    if said[0] == right:
        return 0
    new = np.flatnonzero((said != said[0]) & (said >= 0))
    return int(new[0]) if len(new) else len(said)


def _false_flips(said: NDArray[np.int64], right: int) -> int:
    """Count the changes that don't lead to the right answer; see the module."""
    before, after = said[:-1], said[1:]
    retracted = (after == UNSURE) & (before != right)
    return int(((before != after) & (after != right) & (after != SILENT) & ~retracted).sum())


def figures(tolds: Sequence[Told]) -> dict[str, Any]:
    """Give the figures over programmes, as `tune.json` holds them."""
    total = add([count(told.heard, told.said) for told in tolds])
    music = total.kinds[0]
    return {
        "false_flips_per_minute": total.flips_per_minute,
        "minutes_of_music_in_which_flips_were_counted": round(total.minutes, 1),
        "time_to_correct_s": {
            "recognisable music": _times([t for t, k, ok in total.to_correct if k == 0 and ok]),
            "all music": _times([t for t, k, _ in total.to_correct if k == 0]),
            "speech": _times([t for t, k, _ in total.to_correct if k == 1]),
            "noise": _times([t for t, k, _ in total.to_correct if k == 2]),
        },
        "said": _shares(total.kinds),
        "said_from_the_boundary_on": _shares(total.all_kinds),
        "coverage": float(music[:2].sum() / max(music[6], 1)),
        "precision": float(music[0] / max(music[:2].sum(), 1)),
        **_confidence_figures(tolds),
    }


def _times(values: list[float]) -> dict[str, float | None]:
    """Give median and 90th percentile: never is infinite (None in JSON); and both of where it comes."""
    times = np.array(values)
    come = times[np.isfinite(times)]

    def at(part: NDArray[np.float64], percent: float) -> float | None:
        value = float(np.percentile(part, percent, method="higher")) if len(part) else np.inf
        return round(value, 2) if np.isfinite(value) else None

    return {
        "p50": at(times, 50),
        "p90": at(times, 90),
        "p50_where_it_comes": at(come, 50),
        "p90_where_it_comes": at(come, 90),
        "never": 1.0 - len(come) / len(times) if len(times) else 0.0,
        "boundaries": len(times),
    }


def _shares(kinds: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    outcomes = ("right genre", "wrong genre", "speech", "noise", "unsure", "silence")
    result = {}
    for row, name in zip(kinds, ("music", "speech", "noise", "silence"), strict=True):
        shares = {key: float(row[at] / max(row[6], 1)) for at, key in enumerate(outcomes)}
        if name != "music":
            shares["a genre"] = shares.pop("right genre") + shares.pop("wrong genre")
        result[name] = shares
    return result


def _confidence_figures(tolds: Sequence[Told]) -> dict[str, float]:
    """Give calibration of the smoothed probabilities and of what is said, and coverage at a precision."""
    n = len(tolds[0].heard.state.labels)
    target = np.concatenate([told.heard.target for told in tolds])
    smoothed = np.concatenate([told.smoothed for told in tolds])
    said = np.concatenate([told.said for told in tolds])
    right = np.concatenate([told.right for told in tolds])
    confidence = np.concatenate([told.confidence for told in tolds])
    heard = (target >= 0) & (said != SILENT)
    claims = heard & (said != UNSURE)
    gap = np.stack([confidence, 1 - confidence], axis=1)[claims]
    music = heard & (right < n)
    coverage, threshold = coverage_at(smoothed[music], target[music], _genres(tolds[0]))
    return {
        "ece_of_smoothed": calibration_error(smoothed[heard], target[heard], even(target[heard])),
        "ece_of_smoothed_as_counted": calibration_error(
            smoothed[heard], target[heard], np.ones(int(heard.sum()))
        ),
        "ece_of_what_is_said": _claim_error(gap[:, 0], (said == right)[claims], even(target[claims])),
        "ece_of_what_is_said_as_counted": _claim_error(gap[:, 0], (said == right)[claims], np.ones(len(gap))),
        "coverage_at_80_percent_precision": coverage,
        "unsure_below_for_80_percent_precision": threshold,
    }


def _genres(told: Told) -> NDArray[np.bool_]:
    state = told.heard.state
    return np.array([label not in state.recipe.not_music for label in state.labels])


def _claim_error(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64], bins: int = 15
) -> float:
    """Give the expected calibration error of a claim's own confidence."""
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(which, weights * (confidence - right), minlength=bins)
    return float(np.abs(gaps).sum() / max(weights.sum(), 1e-9))


def coverage_at(
    smoothed: NDArray[np.float64], target: NDArray[np.int64], genres: NDArray[np.bool_]
) -> tuple[float, float]:
    """Give the largest share of music windows whose genre can be said at `PRECISION`, and its threshold."""
    leading = np.where(genres, smoothed, -1.0)
    confidence = leading.max(axis=1)
    order = np.argsort(-confidence)
    precision = np.cumsum((leading.argmax(axis=1) == target)[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision >= PRECISION)
    if not len(enough):
        return 0.0, 1.0
    return float((enough[-1] + 1) / len(order)), float(confidence[order[enough[-1]]])


def window_figures(
    heards: Sequence[Heard], probabilities: Sequence[NDArray[np.float32]], decision: Decision
) -> Any:
    """Give what single windows that lie wholly in one piece are said to be by the gates alone."""
    tables = np.zeros((4, 7))
    for heard, p in zip(heards, probabilities, strict=True):
        labels, n = Labels(heard.contract(decision)), len(heard.state.labels)
        right = right_answers(heard)
        silent = heard.recent_dbfs < decision.silence_dbfs
        said = np.full(len(p), UNSURE)
        for at in range(len(p)):
            answer = labels.answer(p[at])
            if answer.genre is not None:
                said[at] = heard.state.labels.index(answer.genre)
            elif answer.state != "unsure":
                said[at] = n if answer.state == "speech" else n + 1
        said[silent] = SILENT
        kind = _kind(right, n)
        outcome = _outcome(said, right, n)
        tables += _table(kind, outcome, heard.inside & ((kind == 3) | ~silent))
    return _shares(tables)
