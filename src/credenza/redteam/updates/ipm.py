"""Inner-product manipulation: the honest mean, turned round and made small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.redteam.updates.protocol import centre_and_spread, repeated

if TYPE_CHECKING:
    import numpy as np

    from credenza.core.types import Floats


@dataclass(frozen=True, slots=True)
class InnerProduct:
    """Every colluder sends ``-strength`` times the honest mean.

    A small strength keeps it close to all honest updates while their sum still points the
    wrong way or nowhere. Where honest updates differ by more than their mean is long, the
    far side of a verdict cannot see it; that all send the same vector, the near side can.

    Args:
        strength: length, in lengths of the honest mean.

    Source:
        Xie et al., arXiv:1903.03936.
    """

    strength: float = 0.5
    name: str = "ipm"

    def craft(self, known: Floats, hostile: int, rng: np.random.Generator) -> Floats:  # noqa: ARG002 - every attack is asked the same
        """The reversed mean, ``hostile`` times."""
        mean, _ = centre_and_spread(known)
        return repeated(-self.strength * mean, hostile)
