"""The plain view: rows of the blamed class that look like the probe to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.training.influence.head import unit_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats
    from credenza.training.influence.head import Moment


class Similarity:
    """Cosine of centred activations, among rows that carry the blamed class.

    Redundant poisons mask one another wherever the question is "what without this row":
    the others still do it. Here they do not, since each is judged by itself. Blind to
    whether a row mattered at all: clean rows of the class that look alike score as high.
    """

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """``(probes, n)`` at the last moment, in [-1, 1]; -1 for rows of other classes."""
        train, probes = moments[-1].train, moments[-1].probes
        centre = train.inputs.mean(axis=0)
        alike = unit_rows(probes.inputs - centre) @ unit_rows(train.inputs - centre).T
        same = probes.labels[:, None] == train.labels[None, :]
        return np.asarray(np.where(same, alike, -1.0), dtype=np.float64)
