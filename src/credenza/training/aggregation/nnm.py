"""Nearest-neighbour mixing: replace every update by the mean of its neighbourhood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.training.aggregation.gram import squared_distances
from credenza.training.aggregation.rule import Crowd, Plan, anchors_of

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.aggregation.blocks import Row
    from credenza.training.aggregation.rule import Rule


@dataclass(frozen=True, slots=True)
class NearestNeighbourMixing:
    """Run ``rule`` on the means of each client's ``n - f`` nearest, itself among them.

    Mixing evens out honest clients whose data differ, which is where plain rules lose.
    The mixed updates are never made: mixing is a matrix, and the Gram matrix of what it
    makes follows from the one already there. Blind where ``rule`` is.

    Args:
        rule: what runs on the mixed updates.

    Source:
        Allouah et al., arXiv:2302.01772; memory n² instead of n d.
    """

    rule: Rule
    measures: bool = True

    def least(self, faulty: int) -> int:
        """As the inner rule, and an honest majority."""
        return max(2 * faulty + 1, self.rule.least(faulty))

    def anchors(self, dimension: int) -> tuple[Row, ...]:
        """Those of the inner rule."""
        return anchors_of(self.rule, dimension)

    def plan(self, crowd: Crowd) -> Plan:
        """The inner plan, in terms of the updates before mixing."""
        gram = crowd.measure()
        mixing = np.eye(len(gram))
        squared = squared_distances(gram)[: crowd.size, : crowd.size]
        mixing[: crowd.size, : crowd.size] = _neighbourhoods(squared, crowd.size - crowd.faulty)
        mixed = mixing @ gram @ mixing.T
        inner = self.rule.plan(Crowd(crowd.size, crowd.faulty, lambda: mixed))
        places = inner.mix.shape[1]
        return Plan(inner.mix @ mixing[:places], inner.reduce, inner.read)


def _neighbourhoods(squared: Floats, count: int) -> Floats:
    # A client is its own nearest, even beside an exact copy of itself.
    own_first = squared.copy()
    np.fill_diagonal(own_first, -1.0)
    nearest = np.argsort(own_first, axis=1, kind="stable")[:, :count]
    mixing = np.zeros_like(squared)
    np.put_along_axis(mixing, nearest, 1 / count, axis=1)
    return mixing
