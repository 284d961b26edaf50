"""Activations of a forest: which leaf of each tree a row falls into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints


class LeafActivations:
    """Leaves of a LightGBM, XGBoost or scikit-learn forest as a vector of fixed width.

    Two rows are alike as far as the trees sort them into the same leaves; the inner
    product of these vectors estimates that share. One sign per leaf and column is drawn
    from the seed and the leaf's own number, so the width does not grow with the forest.
    Blind to differences that no split of the forest asks about.

    Args:
        model: a fitted model with ``predict(X, pred_leaf=True)`` (LightGBM) or
            ``apply(X)`` (XGBoost, scikit-learn forests).
        width: columns; the error of a similarity is about 1 / sqrt(width).
        seed: of the signs.

    Source:
        Random forest proximity (Breiman 2001) by random projection (Achlioptas 2003).
    """

    def __init__(self, model: Any, *, width: int = 256, seed: int = 0) -> None:  # noqa: ANN401 - three libraries
        if width < 1:
            raise UsageError("bad-parameter", f"the width is {width}; give at least 1")
        self.model = model
        self.width = width
        self.seed = seed

    def activations(self, X: Any) -> Floats:  # noqa: ANN401 - arrays and frames
        """``(n, width)``; inner products lie near the share of common leaves.

        Raises:
            UsageError: the model cannot say its leaves.
        """
        leaves = self._leaves(X)
        total = np.zeros((len(leaves), self.width))
        for tree, column in enumerate(leaves.T):
            names, place = np.unique(column, return_inverse=True)
            signs = [
                np.random.default_rng([self.seed, tree, int(name)]).choice((-1.0, 1.0), self.width)
                for name in names
            ]
            total += np.asarray(signs)[place]
        return np.asarray(total / np.sqrt(leaves.shape[1] * self.width), dtype=np.float64)

    def _leaves(self, X: Any) -> Ints:  # noqa: ANN401 - arrays and frames
        if hasattr(self.model, "apply"):
            found = self.model.apply(X)
        elif hasattr(self.model, "predict") and type(self.model).__module__.startswith("lightgbm"):
            found = self.model.predict(X, pred_leaf=True)
        else:
            raise UsageError(
                "no-leaves",
                f"{type(self.model).__name__} does not say into which leaf a row falls",
                fix="give a LightGBM, XGBoost or scikit-learn forest",
            )
        return np.asarray(found, dtype=np.int64).reshape(len(found), -1)
