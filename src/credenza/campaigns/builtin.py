"""The control charts that credenza ships."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from credenza.campaigns.charts.cusum import Cusum
from credenza.campaigns.charts.ewma import Ewma
from credenza.campaigns.charts.hotelling import Hotelling
from credenza.campaigns.charts.mewma import Mewma
from credenza.campaigns.charts.shewhart import Shewhart
from credenza.core.catalog import Catalog

if TYPE_CHECKING:
    from credenza.core.types import Floats


class Chart(Protocol):
    """Each source against its own past."""

    def signals(self, u: Floats) -> Floats:
        """How far each window is beyond the limit: 1 is at it, -1 at the lower one.

        Args:
            u: ``(T, S, P)`` deviations in standard units, as ``WindowResult.residual`` has
                them; NaN = absent.

        Returns:
            ``(T, S, P)``, each row from rows up to its own, or ``(T, S, 1)``, never
            negative, where statistics are judged together.
        """
        ...


CHARTS: Catalog[Chart] = Catalog(
    "chart",
    {
        "cusum": Cusum,
        "ewma": Ewma,
        "hotelling": Hotelling,
        "mewma": Mewma,
        "shewhart": Shewhart,
    },
)
