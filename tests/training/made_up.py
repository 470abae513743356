"""Answers of runs that never were, so that what is made of answers can be tested without training."""

import msgspec
import numpy as np

from training.ask import Answers
from training.checkpoint import Point, RunState
from training.net import GenreNet
from training.recipe import read_recipe
from training.store import Entry

LABELS = ["<script>alert(1)</script>", "$x_1$|y", "pop & 'rock'", "noise", "speech"]
CLIPS, WINDOWS = 8, 3  # of a label, of a clip


def answers_of(
    *,
    split_seed: int = 1,
    fold: int = 0,
    split: str = "folds",
    labels: list[str] | None = None,
    chance: int = 0,
) -> Answers:
    """Give a run's answers to one of two folds: the same clips and hits for every split seed."""
    labels = labels or LABELS
    recipe = msgspec.structs.replace(read_recipe("smoke"), name="made up")
    clips = [
        Entry(id=f"{label}/{n}", label=label, group=f"{label}-{n // 2}", licence="CC0", file="", frames=118)
        for label in labels
        for n in range(CLIPS)
        if n // 2 % 2 == fold
    ]
    random = np.random.default_rng((chance, fold))
    clip_of = np.repeat(np.arange(len(clips)), WINDOWS)
    targets = np.array([labels.index(clip.label) for clip in clips])[clip_of]
    logits = random.normal(size=(len(clip_of), len(labels))).astype(np.float32)
    logits[np.arange(len(clip_of)), targets] += 1.5
    point = Point(step=1, rate=0.1, loss=2.0, accuracy=0.2, held_out_nll=1.5, held_out_accuracy=0.4)
    state = RunState(
        recipe=recipe,
        seed=1,
        commit="unknown",
        labels=labels,
        fold=fold,
        folds=2,
        split_seed=split_seed,
        split=split,
        train_groups=[],
        held_out=[clip.id for clip in clips],
        dev=[],
        step=recipe.fit.steps,
        curves=[point],
    )
    net = GenreNet(recipe.net, n_labels=len(labels)).eval()
    return Answers(state, net, clips, logits, targets, clip_of)
