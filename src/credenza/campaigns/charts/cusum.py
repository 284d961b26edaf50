"""The chart of cumulated sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class Cusum:
    """A lasting shift of a size that is known beforehand, soonest of all charts.

    What exceeds half of the foreseen shift is added up and never falls below zero. Blind
    to shifts below ``slack``, and to drifts that the source's level follows.

    Args:
        slack: half of the shift to be found, in standard units.
        limit: in standard units; 4.77 with slack 0.5 alarms about once in 370 windows of
            independent normal values.
        furthest: what a single window may add, so that a leap is no lasting shift.

    Source:
        Page 1954, two-sided; winsorised.
    """

    slack: float = 0.5
    limit: float = 4.77
    furthest: float = 4.0

    def signals(self, u: Floats) -> Floats:
        """How far each sum is beyond the limit: 1 and -1 are at it.

        Args:
            u: ``(T, S, P)`` deviations in standard units; NaN = absent, which adds nothing.

        Returns:
            ``(T, S, P)``, each row from rows up to its own; the larger of both sums.
        """
        found = np.zeros(u.shape)
        up, down = np.zeros(u.shape[1:]), np.zeros(u.shape[1:])
        for t, row in enumerate(u):
            step = np.clip(row, -self.furthest, self.furthest)
            seen = np.isfinite(step)
            up = np.where(seen, np.maximum(up + step - self.slack, 0.0), up)
            down = np.where(seen, np.maximum(down - step - self.slack, 0.0), down)
            found[t] = np.where(up >= down, up, -down) / self.limit
        return found
