"""The plain mean: the line that every robust rule is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.training.aggregation.rule import weighted

if TYPE_CHECKING:
    from credenza.training.aggregation.rule import Crowd, Plan


@dataclass(frozen=True, slots=True)
class Mean:
    """Every client counts the same.

    One hostile client moves it anywhere; it is here as the baseline, and even so no
    client can declare a weight and no client that is not finite takes part.
    """

    measures: bool = False

    def least(self, faulty: int) -> int:  # noqa: ARG002 - every rule is asked the same
        """One: the mean promises nothing, however many are hostile."""
        return 1

    def plan(self, crowd: Crowd) -> Plan:
        """Equal weights."""
        return weighted(np.full(crowd.size, 1 / crowd.size))
