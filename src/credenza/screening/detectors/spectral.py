"""Rows that stretch their class in one direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.encoding import points_of

if TYPE_CHECKING:
    from credenza.core.types import Floats, View

FEWEST = 20


@dataclass(frozen=True, slots=True)
class SpectralSignature:
    """Squared projection on the top direction of a class's centred points.

    Poison that shares a signal shifts part of a class one way; when it is shifted by
    more than the class varies there, that way is the leading one. Centred, as in the
    paper's Algorithm 1. Best on a model's activations, brought as an embedding. Blind to
    signals weaker than the class's own leading variation (``quantum-entropy`` whitens
    that away), to fewer than a few per cent of a class, and to flips that look like
    the class they came from.

    Complexity:
        O(n · d²) by the covariance of each class.

    Source:
        Tran et al., arXiv:1811.00636, Algorithm 1; scores are divided by the class's mean.
    """

    @property
    def name(self) -> str:
        """The detector's name."""
        return "spectral"

    @property
    def needs(self) -> frozenset[Role]:
        """No role; without labels all rows are one class."""
        return frozenset()

    def score(self, view: View) -> Scores:
        """Squared projection over the class's mean; 0 for classes of fewer than 20 rows."""
        points = points_of(view)
        values = np.zeros(len(points.matrix))
        for mine in points.by_class(FEWEST):
            values[mine] = squared_projection(points.matrix[mine])
        return Scores(points.in_rows(values))


def squared_projection(matrix: Floats) -> Floats:
    """``(n,)`` squared coordinate along the leading direction, with mean 1."""
    centred = matrix - matrix.mean(axis=0)
    _, axes = np.linalg.eigh(np.asarray(centred.T @ centred, dtype=np.float64))
    along = (centred @ axes[:, -1].astype(matrix.dtype)).astype(np.float64) ** 2
    return np.asarray(along / max(float(along.mean()), 1e-12))
