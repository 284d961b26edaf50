"""Bulyan: Krum chooses the clients, the coordinates are trimmed among the chosen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from credenza.training.aggregation.coordinate import around_median
from credenza.training.aggregation.gram import squared_distances
from credenza.training.aggregation.krum import krum_scores
from credenza.training.aggregation.rule import Plan

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints
    from credenza.training.aggregation.rule import Crowd


@dataclass(frozen=True, slots=True)
class Bulyan:
    """Choose ``n - 2f`` clients by repeated Krum; average ``n - 4f`` values per coordinate.

    The second step takes from a hostile client that Krum let in the one thing left to
    it, a large value in few coordinates. Needs many clients, and is blind where Krum and
    the median both are.

    Source:
        El Mhamdi et al., ICML 2018.
    """

    measures: bool = True

    def least(self, faulty: int) -> int:
        """As in the paper."""
        return 4 * faulty + 3

    def plan(self, crowd: Crowd) -> Plan:
        """The chosen rows, averaged around their median."""
        gram = crowd.measure()
        squared = squared_distances(gram)[: crowd.size, : crowd.size]
        chosen = _repeated_krum(squared, crowd.faulty, crowd.size - 2 * crowd.faulty)
        mix = np.zeros((len(chosen), len(gram)))
        mix[np.arange(len(chosen)), chosen] = 1.0
        return Plan(mix, partial(around_median, keep=crowd.size - 4 * crowd.faulty))


def _repeated_krum(squared: Floats, faulty: int, wanted: int) -> Ints:
    left = np.arange(len(squared))
    chosen: list[int] = []
    while len(chosen) < wanted and len(left) > 1:
        best = int(np.argmin(krum_scores(squared[np.ix_(left, left)], faulty)))
        chosen.append(int(left[best]))
        left = np.delete(left, best)
    if len(chosen) < wanted:
        chosen.append(int(left[0]))
    return np.sort(np.asarray(chosen, dtype=np.int64))
