"""Label scores from texts and vectors: linear models whose scores the trees read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from sklearn.linear_model import SGDClassifier

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Floats, Ints

EPOCHS = 8
HELD_OUT_PARTS = 3


class Reader(Protocol):
    """Rows as the inputs of a linear model."""

    def __call__(self, table: pa.Table) -> Any:  # noqa: ANN401 - NumPy's or SciPy's
        """``(n, d)`` dense or sparse matrix; rows of a length of about 1."""
        ...


@dataclass(frozen=True, slots=True)
class LinearHead:
    """A linear model over what ``read`` makes of a row."""

    read: Reader
    linear: Any

    def score(self, table: pa.Table) -> Floats:
        """``(n, s)`` decision values; s is 1 for two classes, else the class count."""
        return _decide(self.linear, self.read(table))


def fit_head(read: Reader, table: pa.Table, target: Ints, seed: int) -> tuple[LinearHead, Floats]:
    """The head fitted on all rows, and scores of those rows from heads that saw others.

    The second is what a later model must be fitted on: scores of the rows that the
    head was fitted on are far too sure.

    Args:
        read: what a row is to the model.
        table: ``n`` fitting rows.
        target: ``(n,)`` class indices, at least two of them distinct.
        seed: of the shuffles.
    """
    inputs = read(table)
    part = np.random.default_rng(seed).permutation(len(target)) % HELD_OUT_PARTS
    linear = _fit(inputs, target, seed)
    width = _decide(linear, inputs[:1]).shape[1]
    held_out = np.zeros((len(target), width))
    for held in range(HELD_OUT_PARTS):
        rest = part != held
        if np.array_equal(np.unique(target[rest]), np.unique(target)):
            held_out[~rest] = _decide(_fit(inputs[rest], target[rest], seed), inputs[~rest])
    return LinearHead(read, linear), held_out


def _fit(inputs: Any, target: Ints, seed: int) -> Any:  # noqa: ANN401 - untyped library
    return SGDClassifier(
        loss="log_loss", alpha=1e-5, max_iter=EPOCHS, tol=None, random_state=seed, average=True
    ).fit(inputs, target)


def _decide(linear: Any, inputs: Any) -> Floats:  # noqa: ANN401 - untyped library
    scores = np.asarray(linear.decision_function(inputs), dtype=np.float64)
    return scores[:, None] if scores.ndim == 1 else scores
