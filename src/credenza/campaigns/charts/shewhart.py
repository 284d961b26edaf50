"""Shewhart's chart with the Western Electric rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Floats

    Singles = npt.NDArray[np.float32]

RULES = ((1, 1, 3.0), (2, 3, 2.0), (4, 5, 1.0), (8, 8, 0.0))
"""So many of the last so many windows on one side, beyond so many standard units."""


@dataclass(frozen=True, slots=True)
class Shewhart:
    """Leaps, and runs on one side of the level.

    The four rules together alarm about once in 92 windows of independent normal values in
    each statistic. Blind to whatever stays within one standard unit and changes sides, and
    all too ready where windows depend on each other.

    Args:
        widened: all limits times this; the run of eight on one side has none to widen.

    Source:
        Western Electric, Statistical Quality Control Handbook, 1956; runs of different
        rules are not joined.
    """

    widened: float = 1.0

    def signals(self, u: Floats) -> Floats:
        """How far each window is beyond the nearest rule's limit: 1 and -1 are at it.

        Args:
            u: ``(T, S, P)`` deviations in standard units; NaN = absent, which ends a run.

        Returns:
            ``(T, S, P)``, each row from rows up to its own; the side that is further out.
        """
        # Single precision halves what has to pass through memory, which is what takes long.
        side = np.nan_to_num(u, nan=0.0).astype(np.float32)
        up, down = self._one_side(side), self._one_side(-side)
        return np.where(up >= down, up, -down).astype(np.float64)

    def _one_side(self, side: Singles) -> Singles:
        found = np.zeros_like(side)
        for least, among, limit in RULES:
            # The k-th largest of the last n is beyond the limit when k of them are.
            reached = _kth_largest_of_last(side, least, among)
            bound = limit * self.widened
            ratio = reached / bound if bound else (reached > 0).astype(np.float32)
            found = np.maximum(found, ratio)
        return found


def _kth_largest_of_last(side: Singles, k: int, among: int) -> Singles:
    """Of each row and those before it: the largest of the smallest, inserted row by row."""
    padded = np.concatenate([np.zeros((among - 1, *side.shape[1:]), side.dtype), side])
    smallest: list[Singles] = []
    for back in range(among):
        left = padded[back : back + len(side)]
        for place, kept in enumerate(smallest):
            smallest[place], left = np.minimum(kept, left), np.maximum(kept, left)
        if len(smallest) <= among - k:
            smallest.append(left)
    return smallest[-1]
