"""Which cycle sources follow, found in what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats

LEAST_TURNS = 3
LONGEST = 400
LEAST_LIKENESS = 0.15
"""Mean correlation with one cycle ago: below it a cycle explains a seventh at most, and costs
as many values as it is long."""


def find_cycle(deviations: Floats) -> tuple[int, float] | None:
    """The cycle after which sources do most alike, and how much; None where there is none.

    What is asked is the correlation of all deviations with those so many windows before,
    which has a peak at the length of a cycle; a level that wanders correlates with its
    neighbours most and has none. Multiples of a cycle have peaks too: the shortest that
    comes within a tenth of the highest is named.

    Blind to a cycle that all sources share, which is a common cause and gone by then,
    and to those seen fewer than three times.

    Args:
        deviations: ``(T, S, P)`` in standard units, in the order of time; NaN = absent.

    Returns:
        Length in windows, and the mean correlation, from .15 to 1.
    """
    longest = min(LONGEST, len(deviations) // LEAST_TURNS)
    if longest < 2:
        return None
    known = np.isfinite(deviations)
    count = np.maximum(known.sum(axis=0), 1)
    u = np.where(known, deviations - np.nansum(deviations, axis=0) / count, 0.0)
    # One storm must not look like a cycle with whatever it is compared with.
    u = np.clip(u, -3.0, 3.0)
    power = np.square(u).sum()
    if power == 0:
        return None
    likeness = np.full(longest + 2, -np.inf)
    likeness[0] = 1.0
    for lag in range(1, min(longest + 1, len(u) - 1) + 1):
        both = (known[lag:] & known[:-lag]).sum()
        share = both / known.sum()
        likeness[lag] = (u[lag:] * u[:-lag]).sum() / (power * share) if both else 0.0
    peaks = [
        lag
        for lag in range(2, longest + 1)
        if likeness[lag] > max(likeness[lag - 1], likeness[lag + 1], LEAST_LIKENESS)
    ]
    if not peaks:
        return None
    highest = max(likeness[lag] for lag in peaks)
    found = next(lag for lag in peaks if likeness[lag] >= 0.9 * highest)
    return found, float(likeness[found])
