"""A genre that a network never saw: what it says of it, and whether it is less sure than of what it knows.

A run is one of these when a label of the set is not among its own. Such runs are given, or are
trained here, each on the set without one genre.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from streamer.whole import write_whole
from training import metrics
from training.ask import Answers, ask, even
from training.errors import DataError
from training.fit import Job
from training.predict import clip_logits, fit_temperature, softmax
from training.store import Entry, Index, PreparedSet
from training.windows import answers


def jobs_without(job: Job, prepared: PreparedSet, genres: Sequence[str]) -> list[Job]:
    """Give a job for each genre (all of the music where none is named): fold 0 of a set without it.

    The set without it lies in `unseen/<genre>/set` and has the arrays of the whole one.

    Raises:
        DataError: there is no such genre.
    """
    known = [label for label in prepared.labels if label not in job.recipe.not_music]
    for genre in genres:
        if genre not in known:
            raise DataError(f"the set has no genre '{genre}'", remedy=f"name some of {', '.join(known)}")
    jobs = []
    for genre in genres or known:
        folder = job.out / "unseen" / f"{known.index(genre):02d}-{re.sub(r'[^A-Za-z0-9]+', '-', genre)}"
        _write_without(genre, prepared, folder / "set")
        jobs.append(replace(job, data=folder / "set", out=folder / "run", fold=0))
    return jobs


def _write_without(genre: str, prepared: PreparedSet, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    clips = [
        msgspec.structs.replace(clip, file=str((prepared.folder / clip.file).resolve()))
        for clip in prepared.clips
        if clip.label != genre
    ]
    text = msgspec.json.encode(Index(front_end=prepared.front_end, clips=clips))
    write_whole(folder / "index.json", text)


def unseen_figures(runs: Sequence[Path], prepared: PreparedSet, *, hop_s: float) -> list[dict[str, Any]]:
    """Give one dict for each run and each label of the set that it does not know."""
    found = []
    for run in runs:
        known = ask(run, prepared, hop_s=hop_s)
        for genre in sorted(set(prepared.labels) - set(known.state.labels)):
            found.append(_figures(known, genre, prepared, hop_s))
    return found


def _figures(known: Answers, genre: str, prepared: PreparedSet, hop_s: float) -> dict[str, Any]:
    """Compare the run's answers on the music that it held out with those on a genre that it never saw."""
    state, recipe = known.state, known.state.recipe
    taught = set(state.train_groups)
    all_of_it = [clip for clip in prepared.clips if clip.label == genre]
    clips = [clip for clip in all_of_it if clip.group not in taught]
    found: dict[str, Any] = {
        "genre": genre,
        "recipe": recipe.name,
        "steps": recipe.fit.steps,
        "clips": len(clips),
        "groups": len({clip.group for clip in clips}),
        "left_out": len(all_of_it) - len(clips),  # their group taught the run under another label
    }
    if not clips:
        return found
    # Of the fold that is asked: one number over many windows, the same for known and unseen.
    temperature = fit_temperature(known.logits, known.targets, even(known.targets))
    music = [at for at, clip in enumerate(known.clips) if clip.label not in recipe.not_music]
    seen = _means(known.logits, known.clip_of, temperature)[music]
    seen_targets = np.array([state.labels.index(known.clips[at].label) for at in music])
    logits, clip_of = _logits(known, clips, prepared, hop_s)
    unseen = _means(logits, clip_of, temperature)
    said = answers(unseen, state.labels, recipe)
    names = Counter(answer.genre or answer.state for answer in said)
    confident = np.array([answer.state == "music" for answer in said], float)
    low, high = metrics.interval_over_groups(confident, [clip.group for clip in clips])
    return found | {
        "known_clips": len(seen),
        "known_accuracy": float((seen.argmax(axis=1) == seen_targets).mean()),
        "unsure_below": recipe.decision.unsure_below,
        "given_genre": {"value": float(confident.mean()), "low": low, "high": high},
        "known_given_genre": float(
            np.mean([a.state == "music" for a in answers(seen, state.labels, recipe)])
        ),
        "mean_confidence": float(unseen.max(axis=1).mean()),
        "known_mean_confidence": float(seen.max(axis=1).mean()),
        "auroc": metrics.auroc(seen.max(axis=1), unseen.max(axis=1)),
        "said": [{"answer": name, "clips": n} for name, n in names.most_common()],
    }


def _logits(
    run: Answers, clips: list[Entry], prepared: PreparedSet, hop_s: float
) -> tuple[np.ndarray, np.ndarray]:
    """Ask about clips whose label the run has no place for."""
    borrowed = [msgspec.structs.replace(clip, label=run.state.labels[0]) for clip in clips]
    logits, _, clip_of = clip_logits(run.net, prepared, borrowed, run.state.labels, hop_s=hop_s)
    return logits, clip_of


def _means(logits: np.ndarray, clip_of: np.ndarray, temperature: float) -> np.ndarray:
    """Give the (clips, labels) mean probabilities."""
    p = softmax(logits, temperature)
    return np.stack([p[clip_of == at].mean(axis=0) for at in range(clip_of.max() + 1)])
