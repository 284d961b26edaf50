"""Centred clipping: a step towards every client, none longer than a radius."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.aggregation.gram import about
from credenza.training.aggregation.rule import Plan
from credenza.training.aggregation.updates import zeros

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.aggregation.blocks import Row
    from credenza.training.aggregation.rule import Crowd


@dataclass(frozen=True, slots=True, eq=False)
class CenteredClipping:
    """From ``start``, repeatedly move by the mean of the clipped differences.

    Made for a server that keeps the last round's result as ``start``; then a hostile
    minority moves it by at most f / n radii a step. Blind to many small steps the same
    way over many rounds. Without ``start`` it starts at zero, the update that changes
    nothing.

    Args:
        start: ``(d,)`` the last round's result.
        radius: longest step towards one client; None: the median distance at each step.
        steps: number of steps.

    Source:
        Karimireddy et al., arXiv:2012.10333; the radius by default is ours.
    """

    start: Floats | None = None
    radius: float | None = None
    steps: int = 3
    measures: bool = True

    def least(self, faulty: int) -> int:
        """An honest majority."""
        return 2 * faulty + 1

    def anchors(self, dimension: int) -> tuple[Row, ...]:
        """The start."""
        return (zeros(dimension) if self.start is None else self.start,)

    def plan(self, crowd: Crowd) -> Plan:
        """Weights on the clients, and what is left of the start."""
        if self.steps < 1 or (self.radius is not None and not self.radius > 0):
            raise UsageError(
                "bad-parameter",
                f"centered-clipping with {self.steps} steps of radius {self.radius}",
                fix="give at least one step and a positive radius",
            )
        gram = crowd.measure()
        weights = np.zeros(len(gram))
        weights[crowd.size] = 1.0
        for _ in range(self.steps):
            squared = np.diag(about(gram, weights))[: crowd.size]
            distance = np.sqrt(np.maximum(squared, 0.0))
            radius = float(np.median(distance)) if self.radius is None else self.radius
            step = np.minimum(1.0, radius / np.maximum(distance, 1e-300)) / crowd.size
            weights *= 1 - step.sum()
            weights[: crowd.size] += step
        return Plan(weights[None, :])
