"""Gaussian noise in place of an update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.redteam.updates.protocol import centre_and_spread

if TYPE_CHECKING:
    import numpy as np

    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class Gaussian:
    """Noise around the honest mean, ``deviations`` times as wide as honest updates.

    The broken client rather than the clever one; every robust rule should bear it.

    Args:
        deviations: width, in honest deviations of each coordinate.

    Source:
        Blanchard et al., NeurIPS 2017.
    """

    deviations: float = 20.0
    name: str = "gaussian"

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:
        """Independent noise for every colluder."""
        mean, spread = centre_and_spread(known)
        # A coordinate on which all known updates agree gets noise like the others.
        width = self.deviations * spread.clip(min=float(spread.mean()) or 1.0)
        return mean + width * rng.standard_normal((hostile, len(mean)))
