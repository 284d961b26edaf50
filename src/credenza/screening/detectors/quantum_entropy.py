"""Rows that stretch their class in a few directions, once its honest shape is taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.embedding import principal
from credenza.screening.features.encoding import points_of

if TYPE_CHECKING:
    from credenza.core.types import Floats, View

FEWEST = 50
ROUNDS = 5
ALPHA = 4.0


@dataclass(frozen=True, slots=True)
class QuantumEntropy:
    """The QUE score after whitening with a robust mean and covariance.

    A class's own loud directions hide a quiet common shift. Estimating mean and
    covariance on the central rows only, and whitening with them, leaves the poison as
    what still stretches the class; the score weighs such directions together by
    their strength instead of taking one. Blind to poison that the central rows agree
    with, which is most of a class, and to classes with fewer rows than dimensions.

    Attributes:
        dimensions: principal components that are kept.
        trimmed: share of a class's rows that the robust estimate leaves out.

    Complexity:
        O(n · d²) for the components, then O(n · dimensions²) a round.

    Source:
        Hayase et al., arXiv:2104.11315 (SPECTRE), with concentration steps (Rousseeuw and
        Van Driessen 1999) as the robust estimate, and a fixed number of dimensions.
    """

    dimensions: int = 32
    trimmed: float = 0.15

    @property
    def name(self) -> str:
        """The detector's name."""
        return "quantum-entropy"

    @property
    def needs(self) -> frozenset[Role]:
        """No role; without labels all rows are one class."""
        return frozenset()

    def score(self, view: View) -> Scores:
        """QUE over the class's mean; 0 for classes of fewer than 50 rows."""
        points = points_of(view)
        values = np.zeros(len(points.matrix))
        for mine in points.by_class(FEWEST):
            kept = min(self.dimensions, len(mine) // 5)
            matrix = principal(points.matrix[mine], kept).astype(np.float64)
            values[mine] = self._entropy(self._whitened(matrix))
        return Scores(points.in_rows(values))

    def _whitened(self, matrix: Floats) -> Floats:
        """Coordinates in which the central rows have mean 0 and covariance 1."""
        central = np.arange(len(matrix))
        white = matrix
        for _ in range(ROUNDS):
            mean = matrix[central].mean(axis=0)
            covariance = np.atleast_2d(np.cov(matrix[central].T, bias=True))
            strength, axes = np.linalg.eigh(covariance)
            # Directions in which the central rows hardly vary would blow up rounding.
            strength = np.maximum(strength, 1e-6 * max(float(strength[-1]), 1e-12))
            white = (matrix - mean) @ (axes / np.sqrt(strength))
            far = (white**2).sum(axis=1)
            central = np.flatnonzero(far <= np.quantile(far, 1.0 - self.trimmed))
        # Trimmed rows made the covariance too small, alike in all directions.
        return white / max(float(np.median(np.abs(white))) / 0.6745, 1e-12)

    def _entropy(self, white: Floats) -> Floats:
        covariance = white.T @ white / len(white)
        strength, axes = np.linalg.eigh(covariance)
        excess = (strength - 1.0) / max(float(strength[-1]) - 1.0, 1e-9)
        weight = np.exp(ALPHA * np.clip(excess, -1.0, 1.0))
        found = (((white @ axes) ** 2) * weight).sum(axis=1) / weight.sum()
        return np.asarray(found / max(float(found.mean()), 1e-12))
