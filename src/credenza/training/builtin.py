"""The aggregation rules of this package, and the one way to make an aggregator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.core.errors import UsageError
from credenza.training.aggregation.aggregator import BEYOND, RobustAggregator
from credenza.training.aggregation.bulyan import Bulyan
from credenza.training.aggregation.clipping import CenteredClipping
from credenza.training.aggregation.coordinate import CoordinateMedian, TrimmedMean
from credenza.training.aggregation.direction import Flame, FoolsGold
from credenza.training.aggregation.geometric_median import GeometricMedian
from credenza.training.aggregation.krum import Krum, MultiKrum
from credenza.training.aggregation.mda import MinimumDiameter
from credenza.training.aggregation.mean import Mean
from credenza.training.aggregation.nnm import NearestNeighbourMixing
from credenza.training.aggregation.reference import FLTrust
from credenza.training.aggregation.spectral import CovarianceFilter, DivideAndConquer

if TYPE_CHECKING:
    from credenza.training.aggregation.rule import Rule

AGGREGATORS: Catalog[Rule] = Catalog(
    "aggregator",
    {
        "bulyan": Bulyan,
        "caf": CovarianceFilter,
        "centered-clipping": CenteredClipping,
        "coordinate-median": CoordinateMedian,
        "dnc": DivideAndConquer,
        "flame": Flame,
        "fltrust": FLTrust,
        "foolsgold": FoolsGold,
        "geometric-median": GeometricMedian,
        "krum": Krum,
        "mda": MinimumDiameter,
        "mean": Mean,
        "multi-krum": MultiKrum,
        "trimmed-mean": TrimmedMean,
    },
)

MIXINGS: Catalog[Rule] = Catalog("mixing", {"nnm": NearestNeighbourMixing})


def aggregator(
    name: str,
    *,
    f: int,
    dimension: int | None = None,
    beyond: float = BEYOND,
    catalog: Catalog[Rule] = AGGREGATORS,
    **parameters: object,
) -> RobustAggregator:
    """The aggregator called ``name``, told to bear ``f`` faulty clients.

    Args:
        name: a rule of the catalog, or ``nnm+`` before one.
        f: the most clients that may be hostile or malformed.
        dimension: the model's number of parameters; None: as most clients say.
        beyond: robust standard units from which a verdict says that a client stands out.
        catalog: the known rules; give an extended one to add others.
        parameters: of the rule; an unknown one is refused.

    Raises:
        NotFoundError: no rule or mixing has that name.
        UsageError: a parameter is unknown or unfit.
    """
    if isinstance(f, bool) or not isinstance(f, int) or f < 0:
        raise UsageError("bad-parameter", f"f is {f!r}", fix="give the number of faulty clients")
    *mixings, last = name.split("+")
    rule = catalog.make(last, **parameters)
    for mixing in reversed(mixings):
        rule = MIXINGS.make(mixing, rule=rule)
    return RobustAggregator(name, rule, f, dimension, beyond)
