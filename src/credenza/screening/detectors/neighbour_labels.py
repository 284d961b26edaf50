"""Labels against those of the nearest rows, on the shared neighbour graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.encoding import points_of
from credenza.screening.features.neighbours import nearest
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from credenza.core.types import View
    from credenza.screening.features.encoding import Points

DIMENSIONS = 64


@dataclass(frozen=True, slots=True)
class NeighbourLabels:
    """Share of a row's nearest neighbours that have another label, nearer ones counting more.

    Where an embedding is good, neighbours share their label, and a flipped or triggered
    row stands among rows of its true class. Neighbours of the row's own source are not
    asked when other sources are among them. ``knn-disagreement`` does the same for raw
    columns by comparing with a sample; this one uses all rows, for embeddings. Blind to
    clean-label poison and to poison so frequent that it has become its own neighbourhood.

    Attributes:
        neighbours: how many are looked at.

    Complexity:
        One neighbour graph (``features.neighbours``).

    Source:
        Deep k-NN, arXiv:1909.13374; SimiFeat, arXiv:2110.06283.
    """

    neighbours: int = 24

    @property
    def name(self) -> str:
        """The detector's name."""
        return "neighbour-labels"

    @property
    def needs(self) -> frozenset[Role]:
        """A label and an embedding."""
        return frozenset({Role.LABEL, Role.EMBEDDING})

    def score(self, view: View) -> Scores:
        """Weighted share of disagreeing neighbours, in [0, 1].

        Raises:
            UnassessedError: fewer than two classes.
        """
        return disagreement(points_of(view, (Role.EMBEDDING,)), self.neighbours)


def disagreement(points: Points, neighbours: int) -> Scores:
    """Weighted share of each point's nearest neighbours that have another label.

    Raises:
        UnassessedError: fewer than two classes.
    """
    known = points.classes >= 0
    if len(np.unique(points.classes[known])) < 2:
        raise UnassessedError("labels of two classes are needed to disagree")
    graph = nearest(points.leading(DIMENSIONS), neighbours)
    if not graph.index.shape[1]:
        return Scores(np.zeros(len(known)))
    weight = 1.0 / (graph.distance + np.median(graph.distance) + 1e-12)
    weight = weight * known[graph.index]
    elsewhere = weight * (points.source[graph.index] != points.source[:, None])
    asked = np.where(elsewhere.any(axis=1, keepdims=True), elsewhere, weight)
    other = points.classes[graph.index] != points.classes[:, None]
    share = (asked * other).sum(axis=1) / np.maximum(asked.sum(axis=1), 1e-12)
    return Scores(points.in_rows(np.where(known, share, 0.0)))
