"""Minimum-diameter averaging: the tightest ``n - f`` clients, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from credenza.training.aggregation.gram import squared_distances
from credenza.training.aggregation.rule import average_of, weighted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats
    from credenza.training.aggregation.rule import Crowd, Plan

COMPARED_SETS = 256
"""Sets of equally small diameter of which the tightest is taken."""


@dataclass(frozen=True, slots=True)
class MinimumDiameter:
    """The mean of the ``n - f`` updates whose largest distance is smallest.

    The set is exact: clients farther apart than a diameter conflict, and ``f`` of them
    must cover all conflicts, which branching finds in about 1.5^f steps. Among sets of
    one diameter the least total squared distance decides. Blind to colluders inside the
    honest cloud.

    Source:
        Rousseeuw 1985; El Mhamdi et al., arXiv:1905.03853 as MDA.
    """

    measures: bool = True

    def least(self, faulty: int) -> int:
        """An honest majority."""
        return 2 * faulty + 1

    def plan(self, crowd: Crowd) -> Plan:
        """Equal weights on the tightest set."""
        gram = crowd.measure()
        squared = squared_distances(gram)[: crowd.size, : crowd.size]
        kept = np.flatnonzero(tightest(squared, crowd.faulty))
        return weighted(average_of(kept, crowd.size), len(gram) - crowd.size)


def tightest(squared: Floats, faulty: int) -> Bools:
    """``(n,)`` True for the ``n - faulty`` rows of least diameter."""
    diameters = np.unique(squared)
    low, high = 0, len(diameters) - 1
    while low < high:
        half = (low + high) // 2
        conflict = squared > diameters[half]
        if next(_covers(conflict, np.ones(len(squared), dtype=np.bool_), faulty), None) is None:
            low = half + 1
        else:
            high = half
    conflict = squared > diameters[low]
    everyone = np.ones(len(squared), dtype=np.bool_)
    candidates = [
        _exactly(squared, kept, len(squared) - faulty)
        for kept in islice(_covers(conflict, everyone, faulty), COMPARED_SETS)
    ]
    return min(candidates, key=lambda kept: float(squared[np.ix_(kept, kept)].sum()))


def _covers(conflict: Bools, kept: Bools, removable: int) -> Iterator[Bools]:
    """Sets without a conflict, at most ``removable`` smaller than ``kept``."""
    degree = np.where(kept, (conflict & kept).sum(axis=1), 0)
    worst = int(degree.argmax())
    if degree[worst] == 0:
        yield kept
        return
    if removable <= 0 or degree.sum() > 2 * removable * degree[worst]:
        return
    without = kept.copy()
    without[worst] = False
    yield from _covers(conflict, without, removable - 1)
    if degree[worst] <= removable:
        yield from _covers(conflict, kept & ~conflict[worst], removable - int(degree[worst]))


def _exactly(squared: Floats, kept: Bools, count: int) -> Bools:
    """``kept`` without its farthest rows, until ``count`` are left."""
    kept = kept.copy()
    while kept.sum() > count:
        kept[np.where(kept, squared[:, kept].sum(axis=1), -1.0).argmax()] = False
    return kept
