"""Rows that are easily set apart: isolation trees, and tails of single dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.core.types import Role, Scores
from credenza.screening.features.encoding import points_of

if TYPE_CHECKING:
    from credenza.core.types import Floats, View

DIMENSIONS = 64
SEED = 0


@dataclass(frozen=True, slots=True)
class Isolation:
    """Mean normal score of an isolation forest and of ECOD.

    Random splits set apart rows that are far away or few; ECOD adds up how far in the
    tails a row lies, dimension by dimension, and sees what is extreme in one of them
    only. The mean of both is steadier than either. Blind to poison inside the range of
    the data, to small dense clusters in the middle, and to labels.

    Attributes:
        trees: isolation trees, of 256 rows each.

    Complexity:
        O(n · (trees · 8 + d log n)).

    Source:
        Liu et al. 2008; Li et al., arXiv:2201.00382.
    """

    trees: int = 100

    @property
    def name(self) -> str:
        """The detector's name."""
        return "isolation"

    @property
    def needs(self) -> frozenset[Role]:
        """No role: any column that can be compared will do."""
        return frozenset()

    def score(self, view: View) -> Scores:
        """Mean of two normal scores; about 0 for the typical row."""
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - heavy

        points = points_of(view)
        matrix = points.leading(DIMENSIONS)
        forest = IsolationForest(n_estimators=self.trees, random_state=SEED).fit(matrix)
        both = [-forest.score_samples(matrix), tails(matrix)]
        return Scores(points.in_rows(np.mean([_normal(values) for values in both], axis=0)))


def tails(matrix: Floats) -> Floats:
    """ECOD: the largest of the sums of -log tail probabilities to the left, right and by skew."""
    n = len(matrix)
    left, right, by_skew = np.zeros(n), np.zeros(n), np.zeros(n)
    for column in matrix.T:
        ordered = np.sort(column)
        below = -np.log(np.searchsorted(ordered, column, side="right") / n)
        above = -np.log((n - np.searchsorted(ordered, column, side="left")) / n)
        left += below
        right += above
        if n > 1 and ordered[0] < ordered[-1]:
            by_skew += below if stats.skew(ordered) < 0 else above
    return np.maximum(np.maximum(left, right), by_skew)


def _normal(values: Floats) -> Floats:
    rank: Floats = stats.rankdata(values) / (len(values) + 1.0)
    return np.asarray(stats.norm.ppf(rank))
