"""The chart of exponentially weighted averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class Ewma:
    """Small shifts that last a few windows, down to about half a standard unit.

    Blind to what comes and goes within a window or two.

    Args:
        weight: of the newest window, in (0, 1].
        limit: in standard deviations of the average; 2.86 with weight 0.2 alarms about
            once in 370 windows of independent normal values.

    Source:
        Roberts 1959; the exact variance of the first windows instead of its limit.
    """

    weight: float = 0.2
    limit: float = 2.86

    def signals(self, u: Floats) -> Floats:
        """How far each average is beyond the limit: 1 and -1 are at it.

        Args:
            u: ``(T, S, P)`` deviations in standard units; NaN = absent, which adds nothing.

        Returns:
            ``(T, S, P)``, each row from rows up to its own.
        """
        return standard_averages(np.nan_to_num(u, nan=0.0), self.weight) / self.limit


def standard_averages(u: Floats, weight: float) -> Floats:
    """Shaped like ``u``: weighted averages of the rows so far, each with variance 1."""
    found = np.zeros(u.shape)
    average = np.zeros(u.shape[1:])
    for t, row in enumerate(u):
        average = (1 - weight) * average + weight * row
        variance = weight / (2 - weight) * (1 - (1 - weight) ** (2 * (t + 1)))
        found[t] = average / np.sqrt(variance)
    return found
