"""A ridge head: linear, deterministic, and exact about what each source did to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from credenza.core.types import Floats, Strings

    Array = npt.NDArray[Any]


class RidgeHead:
    """Least squares from inputs to one ±1 column per class, with a penalty.

    Two matrix products and a solve: the same rows give the same weights on one machine.
    Linear, so it is as good as the embedding below it.

    Args:
        penalty: added to the diagonal of the inputs' Gram matrix, the intercept's too.
    """

    def __init__(self, penalty: float = 1.0) -> None:
        self.penalty = penalty
        self.classes_: Array = np.empty(0)
        self.weights_: Floats = np.empty((0, 0))

    def fit(self, X: Array, y: Array) -> Self:
        """Learn from ``(n, d)`` inputs and ``(n,)`` labels.

        Raises:
            UsageError: the penalty is not positive.
        """
        if not self.penalty > 0:
            raise UsageError("bad-parameter", f"the penalty is {self.penalty}; give more than 0")
        self.classes_ = np.unique(y)
        gram, cross = _moments(X, _targets(y, self.classes_))
        self.weights_ = _solve(gram, cross, self.penalty)
        return self

    def decision_function(self, X: Array) -> Floats:
        """``(n, classes)`` scores, ``(n,)`` of the second for two classes."""
        scores = self._scores(X)
        return scores[:, 1] if len(self.classes_) == 2 else scores

    def predict(self, X: Array) -> Array:
        """``(n,)`` labels."""
        return np.asarray(self.classes_[self._scores(X).argmax(axis=1)])

    def _scores(self, X: Array) -> Floats:
        """``(n, classes)``; single precision is not widened, which would cost twice the product."""
        dtype = np.float32 if np.asarray(X).dtype == np.float32 else np.float64
        wide: Array = np.asarray(X, dtype=dtype)
        slopes: Array = self.weights_[:-1].astype(dtype)
        return np.asarray(wide @ slopes + self.weights_[-1], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class SourceInfluence:
    """What a ridge head would be without each source.

    Attributes:
        sources: names, most harmful first.
        loss: squared error on the trusted rows with all sources.
        loss_without: the same without each source; less means the source did harm.
        accuracy_without: accuracy on the trusted rows without each source.
    """

    sources: tuple[str, ...]
    loss: float
    loss_without: tuple[float, ...]
    accuracy_without: tuple[float, ...]


def leave_one_source_out(
    X: Array,
    y: Array,
    groups: Strings | Sequence[str],
    trusted: tuple[Array, Array],
    *,
    penalty: float = 1.0,
) -> SourceInfluence:
    """Exact influence of every source on the loss over trusted rows.

    Sums over rows are subtracted, not approximated: each figure is that of a head fitted
    anew without the source. Colluders who do the same harm hide one another here, since
    without one of them the others still do it.

    Args:
        X: ``(n, d)`` inputs.
        y: ``(n,)`` labels.
        groups: ``(n,)`` source of each row.
        trusted: ``(X, y)`` of verified rows that the loss is measured on, not learnt from.
        penalty: of the ridge head.

    Complexity:
        Two passes over the rows at d² each, and one solve of size d per source.
    """
    names, source = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    classes = np.unique(np.concatenate([np.asarray(y), np.asarray(trusted[1])]))
    targets = _targets(np.asarray(y), classes)
    wanted = _targets(np.asarray(trusted[1]), classes)
    order = np.argsort(source, kind="stable")
    ends = np.searchsorted(source[order], np.arange(len(names) + 1))
    parts = [order[ends[place] : ends[place + 1]] for place in range(len(names))]
    X = np.asarray(X)
    gram, cross = _moments(X, targets)
    probe = np.asarray(trusted[0], dtype=np.float64)

    def judged(weights: Floats) -> tuple[float, float]:
        scores = probe @ weights[:-1] + weights[-1]
        right = scores.argmax(axis=1) == wanted.argmax(axis=1)
        return float(np.mean((scores - wanted) ** 2)), float(np.mean(right))

    found = []
    for rows in parts:
        own_gram, own_cross = _moments(X[rows], targets[rows])
        found.append(judged(_solve(gram - own_gram, cross - own_cross, penalty)))
    ranked = sorted(range(len(names)), key=lambda place: (found[place][0], names[place]))
    return SourceInfluence(
        sources=tuple(str(names[place]) for place in ranked),
        loss=judged(_solve(gram, cross, penalty))[0],
        loss_without=tuple(found[place][0] for place in ranked),
        accuracy_without=tuple(found[place][1] for place in ranked),
    )


def _targets(y: Array, classes: Array) -> Floats:
    return np.asarray(np.where(y[:, None] == classes[None, :], 1.0, -1.0), dtype=np.float64)


def _moments(X: Array, targets: Floats) -> tuple[Floats, Floats]:
    """``(d + 1, d + 1)`` and ``(d + 1, classes)`` sums, the intercept last."""
    rows, inputs = len(X), X.shape[1]
    gram = np.zeros((inputs + 1, inputs + 1))
    cross = np.zeros((inputs + 1, targets.shape[1]))
    for start in range(0, rows, 4_096):
        part = np.asarray(X[start : start + 4_096], dtype=np.float64)
        wide = np.concatenate([part, np.ones((len(part), 1))], axis=1)
        gram += wide.T @ wide
        cross += wide.T @ targets[start : start + 4_096]
    return gram, cross


def _solve(gram: Floats, cross: Floats, penalty: float) -> Floats:
    ridge = gram + penalty * np.eye(len(gram))
    return np.asarray(cho_solve(cho_factor(ridge), cross), dtype=np.float64)
