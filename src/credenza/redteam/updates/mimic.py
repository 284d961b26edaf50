"""Mimic: every colluder copies one honest client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.updates.protocol import centre_and_spread, repeated

if TYPE_CHECKING:
    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class Mimic:
    """One honest update, the farthest from the mean, is sent again by all colluders.

    Nothing that is sent is false, so no filter of bad vectors helps: that client's data
    count many times, the others' less. Harmless where honest data are alike. Exact copies
    are what the near side of a verdict sees first.

    Args:
        deviation: noise on each copy, in honest deviations; some hides that they are copies.

    Source:
        Karimireddy et al., arXiv:2006.09365; whom to copy is simplified.
    """

    deviation: float = 0.0
    name: str = "mimic"

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:
        """Copies of the farthest known update."""
        mean, spread = centre_and_spread(known)
        wide = np.asarray(known, dtype=np.float64)
        copied = wide[int(((wide - mean) ** 2).sum(axis=1).argmax())]
        noise = rng.standard_normal((hostile, len(copied))) if self.deviation else 0.0
        return repeated(copied, hostile) + self.deviation * spread * noise
