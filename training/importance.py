"""Which features a forest lives on: by impurity each, and by permutation a whole family.

Impurity is counted on what the forest learnt from and favours columns with many values, and it
is shared out among columns that say the same; so single columns are ranked by it, and whole
families are judged on the held-out fold: what is lost when all columns of a family are shuffled
among the clips together (Breiman 2001).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from training.classifiers import mean_recall
from training.features import Feature

SHUFFLES = 5


class Importances:
    """Collects the importances of the folds' forests.

    Args:
        columns: what the columns of the rows are.
    """

    def __init__(self, columns: list[Feature]) -> None:
        self._columns = columns
        self._families = sorted({column.family for column in columns})
        self._impurity: list[NDArray[np.float64]] = []
        self._losses: list[list[float]] = []

    def add(
        self,
        forest: RandomForestClassifier,
        rows: NDArray[np.float64],
        targets: NDArray[np.int64],
        *,
        seed: int,
    ) -> None:
        """Ask a forest about the (n, k) rows and (n,) targets of its held-out fold."""
        random = np.random.default_rng(seed)
        whole = mean_recall(targets, forest.predict(rows))
        losses = []
        for family in self._families:
            inside = np.array([column.family == family for column in self._columns])
            left = []
            for _ in range(SHUFFLES):
                shuffled = rows.copy()
                shuffled[:, inside] = rows[random.permutation(len(rows))][:, inside]
                left.append(mean_recall(targets, forest.predict(shuffled)))
            losses.append(whole - float(np.mean(left)))
        self._losses.append(losses)
        self._impurity.append(forest.feature_importances_)

    def figures(self) -> dict[str, Any] | None:
        """Give mean and deviation over the folds, largest first; None where no forest was asked."""
        if not self._impurity:
            return None
        names = [column.name for column in self._columns]
        return {
            "families": _ranked(self._families, self._losses),
            "features": _ranked(names, self._impurity),
        }


def _ranked(names: list[str], folds: list[Any]) -> list[dict[str, Any]]:
    mean, deviation = np.mean(folds, axis=0), np.std(folds, axis=0)
    order = np.argsort(-mean, kind="stable")
    return [{"name": names[i], "mean": float(mean[i]), "deviation": float(deviation[i])} for i in order]
