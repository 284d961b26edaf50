"""Rows that lie sparser than their neighbours do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.encoding import points_of
from credenza.screening.features.neighbours import nearest

if TYPE_CHECKING:
    from credenza.core.types import Floats, View
    from credenza.screening.features.neighbours import Neighbours

DIMENSIONS = 64


@dataclass(frozen=True, slots=True)
class LocalOutlierFactor:
    """How much denser the neighbourhood of a row's neighbours is than its own.

    Finds rows out of place near dense regions, which a global distance misses. Blind to
    poison that is dense in itself (more rows than ``neighbours``), and to labels.

    Attributes:
        neighbours: how many are looked at.

    Complexity:
        One neighbour graph (``features.neighbours``); O(n · neighbours) beside it.

    Source:
        Breunig et al. 2000. Reads embeddings, or else all columns as points.
    """

    neighbours: int = 20

    @property
    def name(self) -> str:
        """The detector's name."""
        return "lof"

    @property
    def needs(self) -> frozenset[Role]:
        """No role: any column that can be compared will do."""
        return frozenset()

    def score(self, view: View) -> Scores:
        """The local outlier factor, about 1 inside the data; logarithm, so that it is finite."""
        points = points_of(view)
        graph = nearest(points.leading(DIMENSIONS), self.neighbours)
        return Scores(points.in_rows(local_outlier_factor(graph)))


def local_outlier_factor(graph: Neighbours) -> Floats:
    """``(n,)`` log LOF of a neighbour graph; 0 where there are no neighbours.

    Copies would have infinite density; distances are kept above a thousandth of the median.
    """
    n, k = graph.index.shape
    if k == 0:
        return np.zeros(n)
    radius = graph.distance[:, -1]
    floor = max(1e-3 * float(np.median(radius)), 1e-12)
    reach = np.maximum(np.maximum(graph.distance, radius[graph.index]), floor)
    density = 1.0 / reach.mean(axis=1)
    return np.asarray(np.log(density[graph.index].mean(axis=1) / density))
