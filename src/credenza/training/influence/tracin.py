"""TracIn on the last layer: agreement of gradients along the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.training.influence.head import error, unit_rows, with_constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats
    from credenza.training.influence.head import Moment


class TracIn:
    """Inner products of loss gradients, summed over the moments of training.

    Early moments matter: there poison is not yet fitted and still has gradients. By
    default gradients have length one, or a few hard rows would outweigh everything.
    Blind with a single late moment, and to all layers below the last.

    Args:
        cosine: gradients of length one; False: the paper's plain inner product.

    Source:
        Pruthi et al., arXiv:2002.08484; the cosine after Barshan et al., arXiv:2003.11630.
    """

    def __init__(self, *, cosine: bool = True) -> None:
        self.cosine = cosine

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """``(probes, n)`` over all moments; O(moments · probes · n · d)."""
        total = np.zeros((len(moments[0].probes.labels), len(moments[0].train.labels)))
        for moment in moments:
            inward = [with_constant(rows.inputs) for rows in (moment.probes, moment.train)]
            outward = [error(rows) for rows in (moment.probes, moment.train)]
            if self.cosine:
                inward, outward = [*map(unit_rows, inward)], [*map(unit_rows, outward)]
            total += moment.rate * (inward[0] @ inward[1].T) * (outward[0] @ outward[1].T)
        return total
