"""Krum and Multi-Krum: trust the clients that have the closest company."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.aggregation.gram import squared_distances
from credenza.training.aggregation.rule import average_of, weighted

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.aggregation.rule import Crowd, Plan


@dataclass(frozen=True, slots=True)
class Krum:
    """The update whose nearest ``n - f - 2`` others are nearest in all.

    It returns one client's vector exactly. Blind to colluders who crowd together inside
    the honest cloud: they have the closest company of all.

    Source:
        Blanchard et al., NeurIPS 2017.
    """

    measures: bool = True

    def least(self, faulty: int) -> int:
        """As in the paper, 2f + 2 < n."""
        return 2 * faulty + 3

    def plan(self, crowd: Crowd) -> Plan:
        """All weight on one client."""
        gram = crowd.measure()
        scores = krum_scores(squared_distances(gram)[: crowd.size, : crowd.size], crowd.faulty)
        chosen = np.argmin(scores, keepdims=True)
        return weighted(average_of(chosen, crowd.size), len(gram) - crowd.size)


@dataclass(frozen=True, slots=True)
class MultiKrum:
    """The mean of the ``keep`` updates with the best Krum scores.

    Args:
        keep: how many; None: ``n - f``. No client's declared example count enters.

    Source:
        Blanchard et al., NeurIPS 2017.
    """

    keep: int | None = None
    measures: bool = True

    def least(self, faulty: int) -> int:
        """As Krum, and no fewer than are kept."""
        return max(2 * faulty + 3, self.keep or 0)

    def plan(self, crowd: Crowd) -> Plan:
        """Equal weights on the best."""
        keep = crowd.size - crowd.faulty if self.keep is None else self.keep
        if keep < 1:
            raise UsageError("bad-parameter", f"multi-krum cannot keep {keep} clients")
        gram = crowd.measure()
        scores = krum_scores(squared_distances(gram)[: crowd.size, : crowd.size], crowd.faulty)
        best = np.argsort(scores, kind="stable")[:keep]
        return weighted(average_of(best, crowd.size), len(gram) - crowd.size)


def krum_scores(squared: Floats, faulty: int) -> Floats:
    """``(n,)`` sums of the squared distances to the nearest ``n - f - 2`` others."""
    size = len(squared)
    nearest = max(1, min(size - 1, size - faulty - 2))
    # Column 0 of the sorted distances is the client itself.
    ordered = np.sort(squared, axis=1)
    return np.asarray(ordered[:, 1 : 1 + nearest].sum(axis=1), dtype=np.float64)
