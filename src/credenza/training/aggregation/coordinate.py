"""Rules that look at one coordinate at a time: median, trimmed mean, mean around the median."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from credenza.training.aggregation.rule import Plan

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.aggregation.blocks import Row
    from credenza.training.aggregation.rule import Crowd


@dataclass(frozen=True, slots=True)
class CoordinateMedian:
    """The median of every coordinate.

    Each output value lies between two honest ones while fewer than half the clients are
    hostile. Blind to colluders who stay inside the honest range of every coordinate
    (ALIE): over many coordinates and rounds that adds up.

    Source:
        Yin et al., arXiv:1803.01498.
    """

    measures: bool = False

    def least(self, faulty: int) -> int:
        """An honest majority."""
        return 2 * faulty + 1

    def plan(self, crowd: Crowd) -> Plan:
        """Sort each coordinate, take the middle."""
        return Plan(np.eye(crowd.size), middle, _middle_places(crowd.size))


@dataclass(frozen=True, slots=True)
class TrimmedMean:
    """The mean of every coordinate without its ``f`` largest and ``f`` smallest values.

    Blind where the median is; closer to the mean when nobody attacks.

    Source:
        Yin et al., arXiv:1803.01498.
    """

    measures: bool = False

    def least(self, faulty: int) -> int:
        """Something must be left between the trims."""
        return 2 * faulty + 1

    def plan(self, crowd: Crowd) -> Plan:
        """Sort each coordinate, drop the ends, average the rest."""
        kept = range(crowd.faulty, crowd.size - crowd.faulty)
        return Plan(np.eye(crowd.size), partial(trimmed, faulty=crowd.faulty), kept)


def middle(ordered: Row) -> Floats:
    """``(width,)`` medians of ``(width, n)`` rows that are sorted."""
    places = _middle_places(ordered.shape[1])
    return (ordered[:, places[0]].astype(np.float64) + ordered[:, places[-1]]) / 2


def _middle_places(size: int) -> range:
    return range((size - 1) // 2, size // 2 + 1)


def trimmed(ordered: Row, faulty: int) -> Floats:
    """``(width,)`` means of sorted rows without ``faulty`` values at either end."""
    kept = ordered[:, faulty : ordered.shape[1] - faulty]
    return _row_means(kept)


def around_median(ordered: Row, keep: int) -> Floats:
    """``(width,)`` means of the ``keep`` values nearest the median of each sorted row.

    The nearest values are neighbours in the order, so one window of length ``keep`` is
    right: the one whose farther end is nearest.
    """
    centre = middle(ordered)
    best = np.full(len(ordered), np.inf)
    start = np.zeros(len(ordered), dtype=np.int64)
    for first in range(ordered.shape[1] - keep + 1):
        farther = np.maximum(centre - ordered[:, first], ordered[:, first + keep - 1] - centre)
        start[farther < best] = first
        best = np.minimum(best, farther)
    window = start[:, None] + np.arange(keep)
    kept = np.take_along_axis(ordered, window, axis=1)
    return _row_means(kept)


def _row_means(kept: Row) -> Floats:
    # A product with ones is several times faster than a sum along short rows.
    share = np.full(kept.shape[1], 1 / kept.shape[1])
    return np.asarray(kept.astype(np.float64) @ share, dtype=np.float64)
