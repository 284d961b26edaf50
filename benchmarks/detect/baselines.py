"""One-line baselines: what anybody would try first, on the same rows as everyone else.

Each ranks rows, higher is worse, and flags its first hundredth: it knows no level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from peers import Answer
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

if TYPE_CHECKING:
    from collections.abc import Callable

    from peers import Floats, Ints

FEWEST = 5
NEIGHBOURS = 10
FLAGGED = 0.01


@dataclass(frozen=True)
class Plain:
    """Rows as a baseline sees them.

    Attributes:
        features: ``(n, f)`` sparse 0/1: words of a text, or values of a table.
        points: ``(n, d)`` vectors.
        labels: ``(n,)`` codes, as poisoned.
    """

    features: Any
    points: Floats
    labels: Ints


def _best(features: Any, weight: Floats) -> Floats:  # noqa: ANN401 - sparse
    """Largest weight, at least 0, among the features of each row."""
    found = features.multiply(weight[None, :]).tocsr()
    return np.asarray(found.max(axis=1).todense(), dtype=np.float64).ravel()


def rarest(rows: Plain) -> Floats:
    """How rare the rarest feature is that at least five rows carry."""
    count = np.asarray(rows.features.sum(axis=0)).ravel()
    usable = count >= FEWEST
    return _best(
        rows.features, np.where(usable, np.log(len(rows.labels) / np.maximum(count, 1)), 0)
    )


def chi_square(rows: Plain) -> Floats:
    """Chi-square of the feature of a row that speaks most for its label."""
    score = np.zeros(len(rows.labels))
    count = np.asarray(rows.features.sum(axis=0)).ravel()
    for label in np.unique(rows.labels):
        mine = rows.labels == label
        expected = count * mine.mean()
        beyond = np.asarray(rows.features[mine].sum(axis=0)).ravel() - expected
        weight = np.maximum(beyond, 0) ** 2 / np.maximum(expected * (1 - mine.mean()), 1e-9)
        score[mine] = _best(rows.features[mine], weight)
    return score


def neighbours(rows: Plain) -> Floats:
    """Share of the ten nearest rows with another label."""
    nearest = NearestNeighbors(n_neighbors=NEIGHBOURS + 1).fit(rows.points)
    index = nearest.kneighbors(return_distance=False, n_neighbors=NEIGHBOURS)
    return np.asarray((rows.labels[index] != rows.labels[:, None]).mean(axis=1))


def copies(rows: Plain) -> Floats:
    """How many rows have the same features."""
    key = rows.features @ np.random.default_rng(0).normal(size=rows.features.shape[1])
    _, which, count = np.unique(np.round(key, 9), return_inverse=True, return_counts=True)
    return count[which].astype(np.float64)


BASELINES: dict[str, Callable[[Plain], Floats]] = {
    "rarest feature": rarest,
    "χ² of the best feature": chi_square,
    "10 nearest disagree": neighbours,
    "number of copies": copies,
}


def answer(score: Floats) -> Answer:
    """A baseline's ranking, with its first hundredth flagged."""
    order = np.argsort(-score, kind="stable")
    flagged = np.zeros(len(score), bool)
    flagged[order[: int(FLAGGED * len(score))]] = True
    return Answer(flagged & (score > 0), score)


def one_hot(columns: dict[str, Any]) -> Any:  # noqa: ANN401 - sparse
    """``(n, values)`` which value of each column a row has."""
    blocks = []
    for values in columns.values():
        codes = np.unique(np.asarray(values).astype(str), return_inverse=True)[1]
        n = len(codes)
        blocks.append(sparse.csr_array((np.ones(n), (np.arange(n), codes))))
    return sparse.hstack(blocks).tocsr()
