"""Min-max: as far as it goes without being farther from anyone than honest clients are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.updates.protocol import centre_and_spread, repeated

if TYPE_CHECKING:
    from credenza.core.types import Floats

BISECTIONS = 30


@dataclass(frozen=True, slots=True)
class MinMax:
    """The longest step against the mean's spread that stays within the honest diameter.

    Nobody's largest distance grows, so tests of distance are blind to it on the far side.

    Source:
        Shejwalkar & Houmansadr, NDSS 2021, with the deviation as direction.
    """

    name: str = "min-max"

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:  # noqa: ARG002 - every attack is asked the same
        """The shifted mean, ``hostile`` times."""
        mean, spread = centre_and_spread(known)
        wide = np.asarray(known, dtype=np.float64) - mean
        gram = wide @ wide.T
        norms = np.diag(gram)
        diameter = float((norms[:, None] + norms[None, :] - 2 * gram).max())
        along, length = wide @ spread, float(spread @ spread)
        low, high = 0.0, float(np.sqrt(diameter / length)) if length else 0.0
        for _ in range(BISECTIONS):
            step = (low + high) / 2
            # Distances of mean - step * spread to every known update.
            farthest = float((norms + 2 * step * along + step**2 * length).max())
            low, high = (step, high) if farthest <= diameter else (low, step)
        return repeated(mean - low * spread, hostile)
