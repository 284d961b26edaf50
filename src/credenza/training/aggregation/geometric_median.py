"""The geometric median: the point with the least sum of distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.training.aggregation.gram import about, squared_distances
from credenza.training.aggregation.rule import weighted

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.aggregation.rule import Crowd, Plan

SMOOTHING = 1e-6
"""Least distance, as a share of the typical one: Weiszfeld divides by distances."""


@dataclass(frozen=True, slots=True)
class GeometricMedian:
    """The smoothed geometric median by Weiszfeld's iteration, in weights alone.

    A hostile client pulls with one unit of force however far away it stands. Blind to
    colluders who all pull the same way: the shift grows as f / (n - 2f) times the honest
    spread.

    Args:
        iterations: at most this many.
        tolerance: stop when no weight moves by more.

    Source:
        Pillutla et al., arXiv:1912.13445 (RFA); ours iterates on the Gram matrix.
    """

    iterations: int = 200
    tolerance: float = 1e-10
    measures: bool = True

    def least(self, faulty: int) -> int:
        """An honest majority."""
        return 2 * faulty + 1

    def plan(self, crowd: Crowd) -> Plan:
        """Weights that fall with the distance from the median."""
        gram = crowd.measure()
        clients = gram[: crowd.size, : crowd.size]
        weights = median_weights(clients, self.iterations, self.tolerance)
        return weighted(weights, len(gram) - crowd.size)


def median_weights(gram: Floats, iterations: int = 200, tolerance: float = 1e-10) -> Floats:
    """``(n,)`` weights of the rows in their geometric median."""
    size = len(gram)
    weights = np.full(size, 1 / size)
    floor = SMOOTHING * np.sqrt(np.median(squared_distances(gram)))
    if floor == 0.0:
        # Most rows are one point, and that point is the median.
        together = (squared_distances(gram) == 0).sum(axis=1)
        return np.asarray((together == together.max()) / np.sum(together == together.max()))
    for _ in range(iterations):
        # Rows are measured from the current point, or a far row's scale drowns the rest.
        distance = np.sqrt(np.maximum(np.diag(about(gram, weights)), 0.0))
        pull = 1 / np.maximum(distance, floor)
        moved = pull / pull.sum()
        settled = np.abs(moved - weights).max() <= tolerance
        weights = moved
        if settled:
            break
    return np.asarray(weights, dtype=np.float64)
