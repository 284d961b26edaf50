"""The influence methods of this package; none of them needs torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.catalog import Catalog
from credenza.training.influence.ensemble import ExternalScores, RankMean
from credenza.training.influence.kfac import KroneckerInfluence
from credenza.training.influence.leave_one_out import LogisticLeaveOneOut, RidgeLeaveOneOut
from credenza.training.influence.similarity import Similarity
from credenza.training.influence.tracin import TracIn
from credenza.training.influence.trak import Trak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.training.influence.head import Influence


def _ensemble(members: Sequence[Influence] = ()) -> RankMean:
    return RankMean(members or (KroneckerInfluence(), Trak(), Similarity()))


INFLUENCES: Catalog[Influence] = Catalog(
    "influence",
    {
        "ensemble": _ensemble,
        "external": ExternalScores,
        "kfac": KroneckerInfluence,
        "leave-one-out": RidgeLeaveOneOut,
        "leave-one-out-logistic": LogisticLeaveOneOut,
        "similarity": Similarity,
        "tracin": TracIn,
        "trak": Trak,
    },
)
