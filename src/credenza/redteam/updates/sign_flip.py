"""Sign flip: each colluder sends what it learnt, the other way round."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.updates.protocol import centre_and_spread

if TYPE_CHECKING:
    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class SignFlip:
    """Honest-looking updates with the opposite sign, ``scale`` times as long.

    Needs nobody's help and no knowledge; loud where honest updates agree, hardly seen
    where they do not.

    Args:
        scale: length, in lengths of the update that is turned round.

    Source:
        Li et al., arXiv:1811.03761.
    """

    scale: float = 3.0
    name: str = "sign-flip"

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:
        """Known updates drawn at random, reversed."""
        centre_and_spread(known)
        drawn = rng.integers(0, len(known), hostile)
        return -self.scale * np.asarray(known, dtype=np.float64)[drawn]
