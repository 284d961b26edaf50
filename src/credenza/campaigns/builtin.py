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
    """One source against its own past."""

    def signals(self, u: Floats) -> Floats:
        """How far each window is beyond the limit, from windows up to its own: 1 is at it.

        Args:
            u: ``(T, P)`` deviations in standard units, as ``WindowResult.residual`` has
                them for one source; NaN = absent.

        Returns:
            ``(T, P)``, or ``(T, 1)`` where statistics are judged together.
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
