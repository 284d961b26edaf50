"""The multivariate chart of weighted averages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.charts.ewma import standard_averages
from credenza.campaigns.charts.hotelling import distances

if TYPE_CHECKING:
    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class Mewma:
    """A small lasting shift that is spread over several statistics of one source.

    Does not say which statistics. Blind to what comes and goes within a window or two.

    Args:
        weight: of the newest window, in (0, 1].
        vetted: first windows, from which it is learnt how statistics go together, over
            all sources; they cannot alarm.
        rate: of windows that may lie beyond the limit.

    Source:
        Lowry et al. 1992; covariance with a ridge, limit from the chi-squared distribution.
    """

    weight: float = 0.2
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
        averages = standard_averages(filled, self.weight)
        # Averages go together as the windows do that they are made of.
        return distances(averages, filled[: self.vetted], self.rate, self.vetted)
