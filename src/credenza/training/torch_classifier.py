"""A network behind ``fit`` and ``predict``, with defences plugged into its training loop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.torch_network import (
    as_inputs,
    as_labels,
    parts,
    probabilities,
    seeded,
    torch,
    twin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from credenza.core.types import Floats
    from credenza.training.robust.defence import Defence


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network that was trained elsewhere, as a classifier of class positions."""

    network_: Any

    def predict_proba(self, X: Any) -> Floats:  # noqa: ANN401 - arrays of any kind
        """``(n, C)`` probabilities."""
        return probabilities(self.network_, X)


class TorchClassifier:
    """A network that learns like a scikit-learn classifier, deterministically.

    The same rows, factory and seed give the same weights on one machine, which is what
    certificates by source and exact retraining stand on. Without a ``defence`` it is a
    plain Adam loop, and as easily poisoned as any.

    Args:
        factory: makes a new network for a number of classes; called under ``seed``.
        epochs: passes over the rows.
        batch: rows per step.
        rate: Adam's learning rate.
        defences: parts of ``credenza.training.robust``, asked in this order.
        keep: epochs after which a copy of the network is kept, from 1; for TracIn.
        seed: of the first weights and of the order of rows.
    """

    def __init__(
        self,
        factory: Callable[[int], Any],
        *,
        epochs: int = 5,
        batch: int = 128,
        rate: float = 2e-3,
        defences: Sequence[Defence] = (),
        keep: Sequence[int] = (),
        seed: int = 0,
    ) -> None:
        self.factory = factory
        self.epochs = epochs
        self.batch = batch
        self.rate = rate
        self.defences = defences
        self.keep = keep
        self.seed = seed
        self.classes_: Any = np.empty(0)
        self.network_: Any = None
        self.checkpoints_: tuple[Any, ...] = ()
        self.weights_: Floats = np.empty(0)

    def fit(self, X: Any, y: Any) -> Self:  # noqa: ANN401 - arrays of any kind
        """Learn from ``(n, …)`` inputs and ``(n,)`` labels.

        Raises:
            UsageError: there are no rows, or their numbers differ.
        """
        X, y = np.asarray(X), np.asarray(y)
        if len(X) != len(y) or len(y) == 0:
            raise UsageError(
                "bad-shape",
                "there is nothing to learn from",
                why=f"{len(X)} inputs, {len(y)} labels",
            )
        self.classes_, places = np.unique(y, return_inverse=True)
        with seeded(self.seed):
            self.network_ = self.factory(len(self.classes_))
            self._learn(as_inputs(X), as_labels(places))
        return self

    def predict_proba(self, X: Any) -> Floats:  # noqa: ANN401 - arrays of any kind
        """``(n, C)`` probabilities in the order of ``classes_``."""
        return probabilities(self.network_, X)

    def predict(self, X: Any) -> Any:  # noqa: ANN401 - arrays of any kind
        """``(n,)`` labels."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _learn(self, X: Any, y: Any) -> None:  # noqa: ANN401 - tensors
        optimiser = torch.optim.Adam(self.network_.parameters(), self.rate)
        kept = []
        for epoch in range(self.epochs):
            self.weights_ = self._weigh(X, y, epoch)
            self._pass(X, y, optimiser)
            if epoch + 1 in self.keep:
                kept.append(twin(self.network_))
        self.network_.eval()
        self.checkpoints_ = tuple(kept)

    def _weigh(self, X: Any, y: Any, epoch: int) -> Floats:  # noqa: ANN401 - tensors
        weights = np.ones(len(y))
        for defence in self.defences:
            weights = weights * defence.weigh(self.network_, X.numpy(), y.numpy(), epoch)
        return weights

    def _pass(self, X: Any, y: Any, optimiser: Any) -> None:  # noqa: ANN401 - tensors
        self.network_.train()
        weights = as_inputs(self.weights_)
        order = torch.randperm(len(y))
        for part in parts(len(y), self.batch):
            rows = order[part]
            inputs, labels = X[rows], y[rows]
            for defence in self.defences:
                inputs = defence.alter(self.network_, inputs, labels)
            optimiser.zero_grad()
            losses = torch.nn.functional.cross_entropy(
                self.network_(inputs), labels, reduction="none"
            )
            (losses * weights[rows]).mean().backward()
            for defence in self.defences:
                defence.temper(self.network_, len(rows))
            optimiser.step()
