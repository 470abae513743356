"""A linear head between teacher and student: it gives genres where the teacher only knows its own tags.

Logistic regression on what the teacher says of a view, averaged over the view's windows, learnt
from the labelled views that may teach, so it knows nothing of what is held out. It labels
unlabelled music, and softens the labels of the labelled.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.float32]
C = 0.003
"""Inverse strength of L2: 762 features and a few thousand views want a strong one."""


class Assistant:
    """The head, fitted.

    Args:
        said: (n, d) what the teacher says of each labelled view, averaged over its windows.
        targets: (n,) index of the label.
        n_labels: how many labels there are; each must occur.
    """

    def __init__(self, said: Floats, targets: NDArray[np.int64], n_labels: int) -> None:
        self._n_labels = n_labels
        self._scaler = StandardScaler().fit(said)
        head = LogisticRegression(C=C, class_weight="balanced", max_iter=300)
        self._head = head.fit(self._scaler.transform(said), targets)

    def genres(self, said: Floats) -> Floats:
        """Give (n, n_labels) probabilities for (n, d) of what the teacher says."""
        probabilities = np.zeros((len(said), self._n_labels), np.float32)
        probabilities[:, self._head.classes_] = self._head.predict_proba(self._scaler.transform(said))
        return probabilities

    def linear(self) -> tuple[Floats, Floats]:
        """Give (n_labels, d) weights and (n_labels,) biases of logits, of what the teacher says as it is."""
        weight = np.zeros((self._n_labels, len(self._scaler.scale_)), np.float32)
        bias = np.zeros(self._n_labels, np.float32)
        weight[self._head.classes_] = self._head.coef_ / self._scaler.scale_
        bias[self._head.classes_] = self._head.intercept_
        return weight, bias - weight @ self._scaler.mean_.astype(np.float32)


def evened(genres: Floats) -> NDArray[np.float64]:
    """Give (n,) probabilities to draw views with, that make rare genres half as rare (in logarithm)."""
    weights = genres.astype(np.float64) @ (genres.mean(axis=0) + 1e-3) ** -0.5
    return weights / weights.sum()
