"""TRAK on the last layer, without the factor that hides fitted poison."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.training.influence.head import damped, margin, with_constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats
    from credenza.training.influence.head import HeadRows, Moment

WIDEST = 2_000


class Trak:
    """Least squares in the space of margin gradients.

    Each row is the gradient of its label's margin by the last layer's weights, projected
    when it is wide; the rows' own second moment is divided out. The paper multiplies by
    1 - p of the row, which is about 0 for poison that was learnt; without it precision
    rises several times. Blind below the last layer.

    Args:
        width: columns kept; wider gradients are projected at random.
        damping: share of the mean eigenvalue added to the second moment.
        seed: of the projection.

    Source:
        Park et al., arXiv:2303.14186, with their Q = I and one model.
    """

    def __init__(self, *, width: int = WIDEST, damping: float = 1e-2, seed: int = 0) -> None:
        self.width = width
        self.damping = damping
        self.seed = seed

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """``(probes, n)`` at the last moment; O(n · width²)."""
        train = self._gradients(moments[-1].train)
        probes = self._gradients(moments[-1].probes)
        second = damped(train.T @ train / len(train), self.damping)
        return np.asarray(np.linalg.solve(second, probes.T).T @ train.T, dtype=np.float64)

    def _gradients(self, rows: HeadRows) -> Floats:
        inward, outward = with_constant(rows.inputs), margin(rows)
        full = inward.shape[1] * outward.shape[1]
        if full <= self.width:
            whole = np.einsum("nd,nc->ndc", inward, outward).reshape(len(inward), full)
            return np.asarray(whole, dtype=np.float64)
        # A Kronecker product of two Gaussian projections never builds the full gradient.
        rng = np.random.default_rng(self.seed)
        left = inward @ rng.standard_normal((inward.shape[1], self.width))
        right = outward @ rng.standard_normal((outward.shape[1], self.width))
        return np.asarray(left * right / np.sqrt(self.width), dtype=np.float64)
