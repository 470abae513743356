"""Fits how windows become verdicts, on programmes of held-out clips, and tells what it is worth on others.

runs, each asked about its own fold -> window probabilities, once -> replays through the streamer's
decider with many settings -> the `decision` of `tune.json`, figures, and a comparison of smoothings.

Figures are cross-fitted: a fold is reported with what was fitted on the programmes of the other
folds. The decision that is written is fitted on all of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace as changed
from numpy.typing import NDArray

from streamer.contract import Decision
from training.ask import check_together, even, open_run
from training.compare import compare
from training.errors import RunError
from training.heard import Heard, hear
from training.plots import tradeoff_plot
from training.predict import fit_temperature, softmax
from training.programmes import lay_out
from training.replay import Told, replay, say_many
from training.store import PreparedSet, write_json
from training.streaming import Counts, add, count, figures, window_figures

Probabilities = list[NDArray[np.float32]]  # of each fold's programme, (n, labels)

HALF_LIVES_S = (1.2, 1.7, 2.3, 3.0, 4.0)
SHARPNESSES = np.round(np.exp(np.linspace(np.log(0.7), np.log(3.0), 25)), 3)
SEARCHED: dict[str, tuple[float, ...]] = {
    "lead": (1.5, 2.5, 4.0, 6.0, 9.0, 14.0, 20.0, 30.0, 45.0),
    "kind_lead": (1.0, 1.5, 2.5),
    "music_odds": (0.5, 1.0, 1.5, 2.5, 4.0),
    "unsure_below": (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    "keep_above": (0.05, 0.1, 0.2, 0.35, 0.6),  # as a share of unsure_below
    "other_below": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
}
ROUNDS = 3  # of looking around the best setting so far
BOUNDARY_KEEPS = (0.0, 0.1, 0.3)  # a new title must not leave most of what was
NEW_TITLE_LEADS = (1.5, 3.0, 8.0, 30.0)
TITLED_LEADS = (1.0, 2.0, 4.0)  # times `lead`; more would bet a whole track on its title
DELAY_S, TITLED_DELAY_S = 5.5, 4.5  # to the right genre; titles are there to be quick
WRONG_COSTS = 0.5  # of what a right genre gains: one is said where it is right one time in three or more


def tune(
    runs: Sequence[Path],
    data: Path,
    out: Path,
    *,
    hop_s: float = 1.0,
    shortest_s: float = 20.0,
    settings: int = 900,
    seed: int = 1,
) -> dict[str, Any]:
    """Fit the decision; write `out` and, beside it, `tradeoff.png`; print a summary.

    Args:
        runs: folders of runs of one recipe and split, each of which held one fold out.
        data: the prepared set.
        out: the JSON file.
        hop_s: seconds from window to window.
        shortest_s: shortest track of a programme.
        settings: how many settings are tried.
        seed: of programmes and settings.

    Raises:
        RunError: the runs don't belong together, or can't be asked about anything.
        DataError: their clips make no programme.
    """
    prepared = PreparedSet(data)
    heards = [_hear(run, prepared, hop_s, shortest_s, seed) for run in runs]
    _check_one_split(heards)
    folds = range(len(heards))
    others = {fold: [f for f in folds if f != fold] or [fold] for fold in folds}
    probabilities = [
        softmax(heard.logits, _temperature([heards[f] for f in others[at]])).astype(np.float32)
        for at, heard in enumerate(heards)
    ]
    search = Search(heards, probabilities, settings, seed)
    chosen = [search.best(others[fold]) for fold in folds]
    decision = search.best(list(folds))
    plain = [search.told(fold, chosen[fold], titles=False) for fold in folds]
    titled = [search.told(fold, chosen[fold], titles=True) for fold in folds]
    comparison = compare(heards, probabilities, decision)
    result = {
        "decision": decision,
        "figures": {"without_titles": figures(plain), "with_titles": figures(titled)},
        "single_windows": window_figures(heards, probabilities, decision),
        "comparison": comparison,
        "how": _how(heards, chosen, others, hop_s, shortest_s, seed, len(search.tried)),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(out, result)
    figure = tradeoff_plot(comparison, result["figures"]["without_titles"])
    figure.savefig(out.with_name("tradeoff.png"), dpi=110)
    tell(result, out)
    return result


def _hear(run: Path, prepared: PreparedSet, hop_s: float, shortest_s: float, seed: int) -> Heard:
    state, net, clips = open_run(run, prepared)
    seed_of_fold = seed * 1000 + (state.fold or 0)
    programme = lay_out(
        clips, state.recipe.not_music, prepared.front_end, shortest_s=shortest_s, seed=seed_of_fold
    )
    return hear(state, net, programme, prepared, hop_s=hop_s)


def _check_one_split(heards: Sequence[Heard]) -> None:
    states = [heard.state for heard in heards]
    check_together(states)
    if len({state.split_seed for state in states}) > 1:
        raise RunError("the runs are of several splits", remedy="tune the folds of one split at a time")


def _temperature(heards: Sequence[Heard]) -> float:
    """Fit one temperature to the windows that lie in one piece, every label weighing the same."""
    inside = [heard.inside & (heard.target >= 0) for heard in heards]
    logits = np.concatenate([heard.logits[mask] for heard, mask in zip(heards, inside, strict=True)])
    targets = np.concatenate([heard.target[mask] for heard, mask in zip(heards, inside, strict=True)])
    return fit_temperature(logits, targets, even(targets))


class Search:
    """Counts of every setting on every fold, from which any folds' best setting can be read.

    The mean (half-life, sharpness) is fitted first, by the NLL of the smoothed probabilities. What is
    said is then fitted by `loss`, over settings drawn from `SEARCHED` and, for the second half,
    neighbours of the best so far. What titles mean comes last, with titles told.
    """

    def __init__(self, heards: list[Heard], probabilities: Probabilities, settings: int, seed: int) -> None:
        self._heards, self._probabilities = heards, probabilities
        self._folds = list(range(len(heards)))
        self._base = heards[0].state.recipe.decision
        self._means = {
            half: [
                replay(heard, p, changed(self._base, half_life_s=half, sharpness=1.0))
                for heard, p in zip(heards, probabilities, strict=True)
            ]
            for half in HALF_LIVES_S
        }
        self._mean = self._fit_mean(self._folds)
        random = np.random.default_rng(seed)
        self.tried: list[dict[str, float]] = []
        self._counts: list[list[Counts]] = []  # of each setting on each fold
        self._try([_draw(random, None) for _ in range(settings // 2)])
        for _ in range(ROUNDS):
            best = self._best_setting(self._folds)
            self._try([best, *(_draw(random, best) for _ in range(settings // 2 // ROUNDS))])

    def best(self, folds: list[int]) -> Decision:
        """Give the decision that is best on these folds."""
        decision = _with(self._fit_mean(folds), self._best_setting(folds))
        tries = [
            changed(decision, boundary_keeps=keeps, new_title_lead=new, titled_lead=times * decision.lead)
            for keeps in BOUNDARY_KEEPS
            for new in NEW_TITLE_LEADS
            for times in TITLED_LEADS
        ]
        counts = [self._count(fold, tries, titles=True) for fold in folds]
        losses = [
            loss(add([of_fold[at] for of_fold in counts]), delay_s=TITLED_DELAY_S) for at in range(len(tries))
        ]
        return tries[int(np.argmin(losses))]

    def told(self, fold: int, decision: Decision, *, titles: bool) -> Told:
        """Give a fold's programme as the streamer tells it with a decision."""
        return replay(self._heards[fold], self._probabilities[fold], decision, titles=titles)

    def _try(self, settings: list[dict[str, float]]) -> None:
        decisions = [_with(self._mean, setting) for setting in settings]
        by_fold = [self._count(fold, decisions, titles=False) for fold in self._folds]
        self.tried += settings
        self._counts += [list(of_setting) for of_setting in zip(*by_fold, strict=True)]

    def _count(self, fold: int, decisions: list[Decision], *, titles: bool) -> list[Counts]:
        heard = self._heards[fold]
        said = say_many(heard, self._probabilities[fold], decisions, titles=titles)
        return [count(heard, row) for row in said]

    def _best_setting(self, folds: list[int]) -> dict[str, float]:
        losses = [loss(add([counts[f] for f in folds])) for counts in self._counts]
        return self.tried[int(np.argmin(losses))]

    def _fit_mean(self, folds: list[int]) -> Decision:
        """Choose half-life and sharpness by the NLL on these folds, every label weighing the same."""
        best = (np.inf, 0.0, 0.0)
        for half, tolds in self._means.items():
            heard = [told.heard.target >= 0 for told in tolds]
            smoothed = np.concatenate([tolds[f].smoothed[heard[f]] for f in folds])
            targets = np.concatenate([tolds[f].heard.target[heard[f]] for f in folds])
            logs, weights = np.log(np.maximum(smoothed, 1e-9)), even(targets)
            for sharpness in SHARPNESSES:
                scaled = sharpness * logs
                norm = np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1)) + scaled.max(
                    axis=1
                )
                nll = float(np.average(norm - scaled[np.arange(len(targets)), targets], weights=weights))
                best = min(best, (nll, half, float(sharpness)))
        return changed(self._base, half_life_s=best[1], sharpness=best[2])


def _draw(random: np.random.Generator, near: dict[str, float] | None) -> dict[str, float]:
    """Draw a setting: anything, or a neighbour of one."""
    drawn = {}
    for key, values in SEARCHED.items():
        at = int(random.integers(len(values)))
        if near is not None:
            at = int(np.clip(values.index(near[key]) + random.choice((-1, 0, 0, 1)), 0, len(values) - 1))
        drawn[key] = values[at]
    return drawn


def _with(decision: Decision, setting: dict[str, float]) -> Decision:
    keep_above = round(setting["unsure_below"] * setting["keep_above"], 4)
    return changed(decision, **{**setting, "keep_above": keep_above})


def loss(counts: Counts, delay_s: float = DELAY_S) -> float:
    """Give what a listener loses: music time without the right genre, wrong ones, and broken bars.

    The bars stand a little inside the ones that are promised, since other programmes differ.
    """
    music, speech, noise = (row / max(row[6], 1) for row in counts.all_kinds[:3])
    settled = [row / max(row[6], 1) for row in counts.kinds[:3]]
    over = [
        1.5 * (counts.flips_per_minute - 0.22),
        0.2 * (min(counts.delay_s, 30.0) - delay_s),
        5.0 * (settled[1][:2].sum() - 0.015),
        8.0 * (settled[2][:2].sum() - 0.025),
        5.0 * (settled[0][2:4].sum() - 0.015),
    ]
    missed = 0.3 * (1 - speech[2]) + 0.3 * (1 - noise[3])
    return float(WRONG_COSTS * music[1] - music[0] + missed + sum(max(0.0, value) for value in over))


def _how(
    heards: Sequence[Heard],
    chosen: Sequence[Decision],
    others: dict[int, list[int]],
    hop_s: float,
    shortest_s: float,
    seed: int,
    tried: int,
) -> dict[str, Any]:
    """Give what one needs to know to read the figures, and to make them again."""
    left_out: dict[str, int] = {}
    for heard in heards:
        for reason, clips in heard.programme.left_out.items():
            left_out[reason] = left_out.get(reason, 0) + clips
    alone = others[0] == [0]
    return {
        "fitted": "on the programmes of all folds",
        "reported": "fitted and reported on the same fold: flattering"
        if alone
        else "each fold with what was fitted on the other folds' programmes",
        "recipe": heards[0].state.recipe.name,
        "commits": sorted({heard.state.commit for heard in heards}),
        "folds": [heard.state.fold for heard in heards],
        "split_seed": heards[0].state.split_seed,
        "hop_s": hop_s,
        "shortest_track_s": shortest_s,
        "seed": seed,
        "settings_tried": tried,
        "tracks": "clips of one group and label back to back, each once: more cuts than in a real track",
        "minutes": round(sum(float(heard.bounds[-1]) for heard in heards) / 60, 1),
        "pieces": sum(len(heard.programme.pieces) for heard in heards),
        "clips_left_out": left_out,
        "decision_by_fold": [msgspec.to_builtins(decision) for decision in chosen],
    }


def tell(result: dict[str, Any], out: Path) -> None:
    """Print a summary."""
    for name, found in result["figures"].items():
        said, times = found["said"], found["time_to_correct_s"]
        print(name.replace("_", " ") + ":")
        print(f"  false flips {found['false_flips_per_minute']:.2f} a minute of music")
        for kind, t in ((kind, t) for kind, t in times.items() if t["boundaries"]):
            print(f"  time to correct, {kind} ({t['boundaries']}): p50 {_seconds(t['p50'])}, ", end="")
            print(f"p90 {_seconds(t['p90'])}, never {t['never']:.2f} (where it comes ", end="")
            print(f"{_seconds(t['p50_where_it_comes'])}, {_seconds(t['p90_where_it_comes'])})")
        print(f"  coverage {found['coverage']:.2f}, precision {found['precision']:.2f}; ", end="")
        print(f"coverage at 80% precision {found['coverage_at_80_percent_precision']:.2f}")
        print(f"  ECE {found['ece_of_smoothed']:.3f}, of what is said {found['ece_of_what_is_said']:.3f}")
        print(f"  given a genre: speech {said['speech']['a genre']:.3f}, noise ", end="")
        print(f"{said['noise']['a genre']:.3f}, silence {said['silence']['a genre']:.3f}; ", end="")
        print(f"music called speech or noise {said['music']['speech'] + said['music']['noise']:.3f}")
    print("false flips a minute at equal delay:")
    delays = result["comparison"]["at_equal_delay"]
    print(" " * 30 + "".join(f"{delay + ' s':>8}" for delay in delays))
    for name in result["comparison"]["points"]:
        row = (found[name] for found in delays.values())
        print(
            f"  {name:28}" + "".join(f"{'-' if flips is None else format(flips, '.2f'):>8}" for flips in row)
        )
    print(f"decision {msgspec.to_builtins(result['decision'])}\n{out}, and tradeoff.png beside it")


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"
