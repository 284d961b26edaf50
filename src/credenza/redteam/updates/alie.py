"""A Little Is Enough: a shift small enough for every coordinate, large over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.stats import norm

from credenza.redteam.updates.protocol import centre_and_spread, repeated

if TYPE_CHECKING:
    import numpy as np

    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class LittleIsEnough:
    """Every coordinate is shifted by ``deviations`` of the honest spread, against the mean.

    The shift is the largest that still leaves enough honest clients farther out on that
    side for the colluders to look like a majority. They all send the same vector, which
    lies closer to the centre than honest ones: the near side of a verdict sees it.

    Args:
        deviations: honest deviations; None: from the number of clients, as in the paper.

    Source:
        Baruch et al., arXiv:1902.06156.
    """

    deviations: float | None = None
    name: str = "alie"

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:  # noqa: ARG002 - every attack is asked the same
        """The shifted mean, ``hostile`` times."""
        mean, spread = centre_and_spread(known)
        return repeated(mean - self._shift(len(known), hostile) * spread, hostile)

    def _shift(self, honest: int, hostile: int) -> float:
        if self.deviations is not None:
            return self.deviations
        clients = honest + hostile
        needed = clients // 2 + 1 - hostile
        # At least a little: with a majority of colluders any shift would do.
        share = min(max((honest - needed) / honest, 0.5), 1 - 1e-3)
        return max(float(norm.ppf(share)), 0.1)
