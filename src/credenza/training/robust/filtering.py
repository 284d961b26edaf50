"""Leaving out rows that stand out in activations, while training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.activations.layers import LayerActivations
from credenza.training.robust.defence import Idle

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints

FEWEST = 20


class SpectralFilter(Idle):
    """After a few epochs, drops each class's rows that stand out by quantum entropy.

    Activations are whitened by a robust scatter of the class; the QUE score weighs all
    directions by how far they stick out, of which the top direction alone is the limit.
    Drops ``share`` of every class, guilty or not, so it costs accuracy in a clean world:
    off by default, and audited suspects are the better choice when they can be had.
    Blind to more poison in a class than ``share``, and to what is learnt before ``start``.

    Args:
        share: of each class's rows left out; 1.5 times the poison one fears.
        start: epoch from 0 before which nothing is left out.
        alpha: sharpness of the entropy score; 0 weighs all directions alike.

    Source:
        Hayase et al., SPECTRE, arXiv:2104.11315; QUE from Dong et al., arXiv:1906.11366.
        The scatter is that of the inner half of the class instead of their filter.
    """

    def __init__(self, *, share: float = 0.05, start: int = 2, alpha: float = 4.0) -> None:
        if not 0 < share < 0.5:
            raise UsageError("bad-parameter", f"the share is {share}; give more than 0, below .5")
        self.share = share
        self.start = start
        self.alpha = alpha

    def weigh(self, network: Any, X: Any, y: Any, epoch: int) -> Floats:  # noqa: ANN401 - torch is untyped
        """Zero for the rows that stand out most in their class."""
        weights = np.ones(len(y))
        if epoch < self.start:
            return weights
        seen = LayerActivations(network).activations(X)
        for label in np.unique(y):
            rows: Ints = np.flatnonzero(y == label)
            if len(rows) >= FEWEST:
                scores = entropy_scores(seen[rows], self.alpha)
                worst = np.argsort(-scores, kind="stable")[: int(self.share * len(rows))]
                weights[rows[worst]] = 0.0
        return weights


def entropy_scores(activations: Floats, alpha: float) -> Floats:
    """``(n,)`` QUE scores of one class's rows, whitened by its inner half."""
    middle = np.median(activations, axis=0)
    far = ((activations - middle) ** 2).sum(axis=1)
    inner = activations[far <= np.median(far)]
    scatter = np.cov(inner.T)
    lift = 0.1 * max(float(np.trace(scatter)) / len(scatter), np.finfo(float).tiny)
    values, vectors = np.linalg.eigh(scatter + lift * np.eye(len(scatter)))
    white = (activations - inner.mean(axis=0)) @ (vectors / np.sqrt(values))
    spread, directions = np.linalg.eigh(white.T @ white / len(white))
    weight = np.exp(alpha * (spread / spread[-1] - 1))
    return np.asarray(((white @ directions) ** 2 * weight).sum(axis=1), dtype=np.float64)
