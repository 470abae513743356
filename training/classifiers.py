"""The classical classifiers beside the network, each with the search that tunes it.

Tuning is one grid a classifier, asked on inner folds of the training part that share no group;
what is searched stands here whole, so that anyone can judge whether it was fair.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from training.metrics import confusion, recall
from training.splits import fold_of
from training.store import Entry

INNER_FOLDS = 3


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of classifier.

    Attributes:
        what: in words.
        build: gives a fresh one from a seed.
        grid: values of its parameters that are tried, every combination; empty: taken as it is.
    """

    what: str
    build: Callable[[int], ClassifierMixin]
    grid: dict[str, list[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A classifier that learnt, what the search chose for it, and the seconds that both took."""

    classifier: ClassifierMixin
    chosen: dict[str, Any]
    search_s: float
    fit_s: float


def _linear(seed: int) -> ClassifierMixin:
    # A tighter tolerance takes three times as long and answers no better.
    logistic = LogisticRegression(
        C=0.003, class_weight="balanced", max_iter=3000, tol=1e-3, random_state=seed
    )
    return Pipeline([("scale", StandardScaler()), ("model", logistic)])


KINDS: dict[str, Kind] = {
    "majority": Kind(
        "the most frequent genre of the training part", lambda _: DummyClassifier(strategy="most_frequent")
    ),
    "linear": Kind(
        "logistic regression on standardised features", _linear, {"model__C": [0.001, 0.003, 0.01]}
    ),
    "svm": Kind(
        "support vector machine (RBF) on standardised features",
        lambda _: Pipeline([("scale", StandardScaler()), ("model", SVC(class_weight="balanced"))]),
        {"model__C": [1.0, 4.0, 16.0], "model__gamma": [5e-4, 1.5e-3]},
    ),
    "forest": Kind(
        "random forest of 200 trees",
        lambda seed: RandomForestClassifier(200, class_weight="balanced", random_state=seed),
        {"min_samples_leaf": [1, 3], "max_features": ["sqrt", 0.1]},
    ),
    "boosting": Kind(
        "gradient boosting of 60 rounds, one small tree a label each (histograms)",
        lambda seed: HistGradientBoostingClassifier(
            max_iter=60,
            max_bins=32,
            max_features=0.1,
            early_stopping=False,
            class_weight="balanced",
            random_state=seed,
        ),
        {"max_leaf_nodes": [4, 8]},
    ),
    "teacher": Kind("the same logistic regression (C 0.003) on the teacher's tags and embedding", _linear),
}
"""In the order of the table; `teacher` has features of its own."""


def fit_kind(
    kind: Kind,
    rows: NDArray[np.float64],
    targets: NDArray[np.int64],
    clips: Sequence[Entry],
    *,
    seed: int,
    jobs: int = 1,
) -> Fitted:
    """Tune and fit a classifier on the (n, k) rows and (n,) targets of n clips; only these are seen."""
    classifier = kind.build(seed)
    if not kind.grid:
        started = perf_counter()
        classifier.fit(rows, targets)
        return Fitted(classifier, {}, 0.0, perf_counter() - started)
    inner = PredefinedSplit(fold_of(clips, INNER_FOLDS, seed))
    search = GridSearchCV(
        classifier, kind.grid, scoring=make_scorer(mean_recall), cv=inner, n_jobs=jobs, error_score="raise"
    )
    started = perf_counter()
    search.fit(rows, targets)
    seconds = perf_counter() - started
    chosen = {key.removeprefix("model__"): value for key, value in search.best_params_.items()}
    return Fitted(search.best_estimator_, chosen, seconds - search.refit_time_, search.refit_time_)


def mean_recall(targets: NDArray[np.int64], said: NDArray[np.int64]) -> float:
    """Give the mean recall of the labels that occur: the balanced accuracy, which the search maximises."""
    counts = confusion(targets, said, int(max(targets.max(), said.max())) + 1)
    return float(np.nanmean(recall(counts)))
