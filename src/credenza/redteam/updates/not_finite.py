"""Not a number: one value that poisons every sum it enters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.redteam.updates.protocol import centre_and_spread, repeated

if TYPE_CHECKING:
    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class NotFinite:
    """The honest mean with ``value`` in one random coordinate.

    Args:
        value: NaN, an infinity, or something too large to be squared.
    """

    value: float = float("nan")
    name: str = "not-finite"

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:
        """Each colluder breaks a coordinate of its own."""
        mean, _ = centre_and_spread(known)
        crafted = repeated(mean, hostile)
        crafted[np.arange(hostile), rng.integers(0, len(mean), hostile)] = self.value
        return crafted
