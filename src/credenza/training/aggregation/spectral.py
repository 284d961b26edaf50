"""CAF and DnC: colluders push one way, so they stand out along the main direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.aggregation.gram import about
from credenza.training.aggregation.rule import average_of, weighted

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.aggregation.rule import Crowd, Plan


@dataclass(frozen=True, slots=True)
class CovarianceFilter:
    """CAF: weigh clients down along the main direction; the calmest mean seen wins.

    Each step takes all weight from the client that lies farthest along the top
    eigenvector and some from the others in proportion, until ``n - 2f`` is left; the
    output is the weighted mean whose covariance had the smallest top eigenvalue. Blind
    to a shift smaller than the honest spread in every direction.

    Source:
        Allouah et al., arXiv:2505.01874 (CAF); eigenvectors by the Gram matrix.
    """

    measures: bool = True

    def least(self, faulty: int) -> int:
        """An honest majority."""
        return 2 * faulty + 1

    def plan(self, crowd: Crowd) -> Plan:
        """The weights of the calmest mean."""
        gram = crowd.measure()
        clients = gram[: crowd.size, : crowd.size]
        weights = np.ones(crowd.size)
        best, calmest = weights / crowd.size, np.inf
        while weights.sum() > crowd.size - 2 * crowd.faulty and weights.any():
            share = weights / weights.sum()
            variance, along = main_direction(clients, share)
            if variance < calmest:
                best, calmest = share, variance
            squared = np.where(weights > 0, along**2, 0.0)
            if squared.max() <= 0:
                break
            weights = weights * (1 - squared / squared.max())
        return weighted(best, len(gram) - crowd.size)


@dataclass(frozen=True, slots=True)
class DivideAndConquer:
    """DnC: drop the clients that lie farthest along the main direction, average the rest.

    The paper samples coordinates and intersects several runs to afford an SVD; with the
    Gram matrix all coordinates are used at once, so nothing is random. Blind to
    attackers who push in different directions, each below the top one.

    Args:
        removed: how many to drop, as a multiple of ``f``.

    Source:
        Shejwalkar & Houmansadr, NDSS 2021, without the sampling.
    """

    removed: float = 1.0
    measures: bool = True

    def least(self, faulty: int) -> int:
        """An honest majority, and someone left."""
        return max(2 * faulty, int(self.removed * faulty)) + 1

    def plan(self, crowd: Crowd) -> Plan:
        """Equal weights on those that are left."""
        if not self.removed >= 0:
            raise UsageError("bad-parameter", f"dnc cannot remove {self.removed} of f")
        gram = crowd.measure()
        size = crowd.size
        _, along = main_direction(gram[:size, :size], np.full(size, 1 / size))
        order = np.argsort(along**2, kind="stable")
        left = order[: size - int(self.removed * crowd.faulty)]
        return weighted(average_of(left, size), len(gram) - size)


def main_direction(gram: Floats, share: Floats) -> tuple[float, Floats]:
    """The top variance of the weighted rows, and where each row lies along it.

    Args:
        gram: ``(n, n)`` inner products about any centre.
        share: ``(n,)`` weights that sum to 1.

    Returns:
        The top eigenvalue of the weighted covariance, and ``(n,)`` signed positions.
    """
    centred = about(gram, share)
    root = np.sqrt(share)
    values, vectors = np.linalg.eigh(root[:, None] * centred * root[None, :])
    variance = max(float(values[-1]), 0.0)
    if variance == 0.0:
        return 0.0, np.zeros(len(gram))
    return variance, np.asarray(centred @ (root * vectors[:, -1]) / np.sqrt(variance))
