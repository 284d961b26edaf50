"""Hotelling's T-squared: all statistics of a source at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtri

if TYPE_CHECKING:
    from credenza.core.types import Floats

RIDGE = 0.1
"""Part of a statistic's variance that no other is believed to share."""


@dataclass(frozen=True, slots=True)
class Hotelling:
    """A window whose statistics do not fit together, though each is ordinary by itself.

    Does not say which statistic. Blind to a shift in one of many statistics, which is
    diluted by the others.

    Args:
        vetted: first windows, from which it is learnt how statistics go together, over
            all sources, for one source's windows are too few; they cannot alarm.
        rate: of windows that may lie beyond the limit.

    Source:
        Hotelling 1947; covariance with a ridge, limit from the chi-squared distribution.
    """

    vetted: int = 10
    rate: float = 0.0027

    def signals(self, u: Floats) -> Floats:
        """How far each window is beyond the limit: 1 is at it.

        Args:
            u: ``(T, S, P)`` deviations in standard units; NaN = absent, taken for 0.

        Returns:
            ``(T, S, 1)``, each row from rows up to its own; never negative.
        """
        filled = np.nan_to_num(u, nan=0.0)
        return distances(filled, filled[: self.vetted], self.rate, self.vetted)


def distances(rows: Floats, vetted: Floats, rate: float, quiet: int) -> Floats:
    """``(T, S, 1)`` root of the squared distance over its limit; 0 in the first ``quiet``."""
    width = rows.shape[-1]
    spread = RIDGE * np.eye(width)
    known = vetted.reshape(-1, width)
    if len(known) > 1:
        spread += (1 - RIDGE) * np.atleast_2d(np.cov(known.T))
    squared = ((rows @ np.linalg.inv(spread)) * rows).sum(axis=-1, keepdims=True)
    found = np.asarray(np.sqrt(squared / chdtri(width, rate)))
    found[:quiet] = 0.0
    return found
